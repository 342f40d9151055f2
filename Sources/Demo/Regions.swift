/// The 34 provincial-level regions with their largest cities.
struct Region {
  let code: String
  /// 北京
  let name: String
  /// 北京市
  let province: String
  /// First two digits of codes of places (GB/T 2260).
  let placeCode: Int
  /// Share of the business, of a thousand or so.
  let weight: Int
  let cities: [City]

  struct City {
    let name: String
    /// First four digits.
    let postalPrefix: String
    let districts: [String]
  }

  static let all: [Region] = table.split(separator: "\n").map { line in
    let parts = line.split(separator: "|").map(String.init)
    return Region(
      code: parts[0], name: parts[1], province: parts[2], placeCode: Int(parts[3]) ?? 0, weight: Int(parts[4]) ?? 1,
      cities: parts[5...].map { text in
        let words = text.split(separator: " ").map(String.init)
        return City(name: words[0], postalPrefix: words[1], districts: Array(words[2...]))
      })
  }

  /// Code, name, province, place code, weight, then cities with postal prefix and districts.
  private static let table = """
    BJ|北京|北京市|11|62|北京市 1000 东城区 西城区 朝阳区 海淀区 丰台区 通州区
    TJ|天津|天津市|12|16|天津市 3000 和平区 河西区 南开区 滨海新区
    HE|河北|河北省|13|50|石家庄市 0500 长安区 桥西区 裕华区|唐山市 0630 路北区 路南区|保定市 0710 竞秀区 莲池区
    SX|山西|山西省|14|22|太原市 0300 小店区 迎泽区 万柏林区|大同市 0370 平城区 云冈区
    NM|内蒙古|内蒙古自治区|15|15|呼和浩特市 0100 新城区 赛罕区|包头市 0140 昆都仑区 青山区
    LN|辽宁|辽宁省|21|30|沈阳市 1100 和平区 沈河区 铁西区|大连市 1160 中山区 西岗区 沙河口区
    JL|吉林|吉林省|22|16|长春市 1300 朝阳区 南关区|吉林市 1320 船营区 昌邑区
    HL|黑龙江|黑龙江省|23|20|哈尔滨市 1500 南岗区 道里区 香坊区|大庆市 1630 萨尔图区 让胡路区
    SH|上海|上海市|31|54|上海市 2000 黄浦区 徐汇区 静安区 浦东新区 闵行区 杨浦区
    JS|江苏|江苏省|32|90|南京市 2100 玄武区 鼓楼区 建邺区|苏州市 2150 姑苏区 吴中区 虎丘区|无锡市 2140 梁溪区 滨湖区
    ZJ|浙江|浙江省|33|70|杭州市 3100 上城区 西湖区 滨江区|宁波市 3150 海曙区 鄞州区|温州市 3250 鹿城区 瓯海区
    AH|安徽|安徽省|34|32|合肥市 2300 庐阳区 蜀山区 包河区|芜湖市 2410 镜湖区 弋江区
    FJ|福建|福建省|35|30|福州市 3500 鼓楼区 台江区|厦门市 3610 思明区 湖里区|泉州市 3620 丰泽区 鲤城区
    JX|江西|江西省|36|22|南昌市 3300 东湖区 西湖区 红谷滩区|赣州市 3410 章贡区 南康区
    SD|山东|山东省|37|80|济南市 2500 历下区 市中区 历城区|青岛市 2660 市南区 崂山区 黄岛区|烟台市 2640 芝罘区 莱山区
    HA|河南|河南省|41|60|郑州市 4500 金水区 二七区 中原区|洛阳市 4710 西工区 涧西区|南阳市 4730 卧龙区 宛城区
    HB|湖北|湖北省|42|42|武汉市 4300 江岸区 武昌区 洪山区 江汉区|宜昌市 4430 西陵区 伍家岗区
    HN|湖南|湖南省|43|40|长沙市 4100 岳麓区 芙蓉区 雨花区|株洲市 4120 天元区 荷塘区
    GD|广东|广东省|44|112|广州市 5100 天河区 越秀区 海珠区 番禺区|深圳市 5180 福田区 南山区 罗湖区 宝安区|佛山市 5280 禅城区 南海区
    GX|广西|广西壮族自治区|45|16|南宁市 5300 青秀区 兴宁区|柳州市 5450 城中区 柳南区
    HI|海南|海南省|46|6|海口市 5700 龙华区 美兰区|三亚市 5720 吉阳区 天涯区
    CQ|重庆|重庆市|50|24|重庆市 4000 渝中区 江北区 沙坪坝区 渝北区
    SC|四川|四川省|51|58|成都市 6100 锦江区 青羊区 武侯区 成华区|绵阳市 6210 涪城区 游仙区
    GZ|贵州|贵州省|52|12|贵阳市 5500 南明区 云岩区|遵义市 5630 红花岗区 汇川区
    YN|云南|云南省|53|16|昆明市 6500 五华区 盘龙区 官渡区|大理市 6710 下关街道 大理镇
    XZ|西藏|西藏自治区|54|2|拉萨市 8500 城关区 堆龙德庆区
    SN|陕西|陕西省|61|30|西安市 7100 雁塔区 碑林区 未央区|咸阳市 7120 秦都区 渭城区
    GS|甘肃|甘肃省|62|12|兰州市 7300 城关区 七里河区|天水市 7410 秦州区 麦积区
    QH|青海|青海省|63|3|西宁市 8100 城中区 城西区
    NX|宁夏|宁夏回族自治区|64|5|银川市 7500 兴庆区 金凤区
    XJ|新疆|新疆维吾尔自治区|65|15|乌鲁木齐市 8300 天山区 沙依巴克区|克拉玛依市 8340 克拉玛依区 独山子区
    TW|台湾|台湾省|71|4|台北市 0001 中正区 大安区 信义区
    HK|香港|香港特别行政区|81|6|香港 9990 湾仔区 油尖旺区 沙田区
    MO|澳门|澳门特别行政区|82|3|澳门 9990 花地玛堂区 风顺堂区
    """

  static let streets = [
    "人民路", "中山路", "解放路", "建设路", "和平路", "新华路", "文化路", "长江路", "黄河路", "青年路", "学院路", "科技路", "滨河路",
    "迎宾路", "光明路", "胜利街", "民主街", "友谊街", "花园路", "体育路", "朝阳路", "东风路", "南湖路", "北环路",
  ]
  static let estates = ["锦绣花园", "阳光小区", "翠湖名苑", "世纪家园", "金桂苑", "幸福里", "碧水湾", "书香雅居", "紫荆公寓", "安居苑"]
}

/// Shares out a whole by weights: the parts add up to it, and differ from the exact share by less than one.
func apportioned(_ whole: Int, weights: [Int], atLeast minimum: Int = 0) -> [Int] {
  let total = max(1, weights.reduce(0, +))
  let rest = whole - minimum * weights.count
  var parts = weights.map { minimum + rest * $0 / total }
  let byRemainder = weights.indices.sorted { left, right in
    let (a, b) = (rest * weights[left] % total, rest * weights[right] % total)
    return a == b ? left < right : a > b
  }
  for index in byRemainder.prefix(max(0, whole - parts.reduce(0, +))) { parts[index] += 1 }
  return parts
}
