#include "capi.h"
