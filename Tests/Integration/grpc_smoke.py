"""Every RPC of every Mainstay service, called with the clients that PyPI grpcio-tools generates from proto/, unchanged: once at
the service itself and once through the gateway.

usage: grpc_smoke.py PROTO_FOLDER PKI_FOLDER gateway=PORT SERVICE=PORT…

Which services a process has is asked of its reflection, and which methods they have stands in the generated descriptors: a
method without a smoke call fails, and so does a service of the protos that no process has. Prints a line for each call and
exits with 1 when one fails.
"""
import base64
import datetime
import glob
import hashlib
import importlib
import os
import shutil
import hmac
import sys
import tempfile
import time
import uuid

import grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc

protos, pki = os.path.abspath(sys.argv[1]), sys.argv[2]
ports = dict(argument.split("=") for argument in sys.argv[3:])
gateway = ports.pop("gateway")


def generate(folder):
    """Generates messages and stubs into the folder, and gives the descriptors of all services by full name, with their stubs."""
    files = glob.glob(f"{protos}/mainstay/**/*.proto", recursive=True) + glob.glob(f"{protos}/google/type/*.proto")
    names = sorted(os.path.relpath(file, protos) for file in files)
    options = ["protoc", f"-I{protos}", f"-I{os.path.dirname(protoc.__file__)}/_proto"]
    if protoc.main(options + [f"--python_out={folder}", f"--grpc_python_out={folder}"] + names):
        sys.exit("protoc fails")
    sys.path.insert(0, folder)
    services = {}
    for name in names:
        module = name.removesuffix(".proto").replace("/", ".")
        for service in importlib.import_module(f"{module}_pb2").DESCRIPTOR.services_by_name.values():
            services[service.full_name] = (
                service, getattr(importlib.import_module(f"{module}_pb2_grpc"), f"{service.name}Stub")
            )
    return services


generated = tempfile.TemporaryDirectory()
services = generate(generated.name)

from google.type.date_pb2 import Date  # noqa: E402
from mainstay.agent.v1 import agent_service_pb2 as agents  # noqa: E402
from mainstay.customer.v1 import customer_service_pb2 as customers  # noqa: E402
from mainstay.customer.v1 import party_pb2 as parties  # noqa: E402
from mainstay.customer.v1 import policy_service_pb2 as policies  # noqa: E402
from mainstay.partner.v1 import partner_service_pb2 as partners  # noqa: E402
from mainstay.platform.v1 import audit_pb2 as audit  # noqa: E402
from mainstay.platform.v1 import events_pb2 as events  # noqa: E402
from mainstay.platform.v1 import jobs_pb2 as jobs  # noqa: E402
from mainstay.platform.v1 import maintenance_pb2 as maintenance  # noqa: E402
from mainstay.platform.v1 import product_copies_pb2 as copies  # noqa: E402
from mainstay.platform.v1 import webhook_sources_pb2 as sources  # noqa: E402
from mainstay.platform.v1 import webhooks_pb2 as webhooks  # noqa: E402
from mainstay.platform.v1.money_pb2 import Money  # noqa: E402
from mainstay.reporting.v1 import reporting_service_pb2 as reports  # noqa: E402

DAY = Date(year=2026, month=3, day=1)
SMOKES = {}


def smoke(method):
    """Registers what calls a method of mainstay.AREA.v1: given the call and what earlier calls left, says whether the reply holds."""
    def register(function):
        SMOKES[f"mainstay.{method}"] = function
        return function
    return register


def yuan(amount):
    return Money(currency_code="CNY", minor_units=amount * 100)


class Left:
    """What calls leave for later ones, and names that nobody else has."""

    def __init__(self):
        self.key = uuid.uuid4().hex[:12]
        self.code = self.key.upper()


# Customer service


@smoke("customer.v1.CustomerService/CreateParty")
def create_party(call, left):
    person = parties.Person(family_name="欧阳", given_name="娜娜")
    left.party = call(customers.CreatePartyRequest(
        party=parties.Party(source="smoke", source_key=left.key, person=person), request_id=left.key))
    return left.party.party_id.startswith("par_") and left.party.person.family_name == "欧阳"


@smoke("customer.v1.CustomerService/GetParty")
def get_party(call, left):
    return call(customers.GetPartyRequest(party_id=left.party.party_id)) == left.party


@smoke("customer.v1.CustomerService/ListParties")
def list_parties(call, left):
    reply = call(customers.ListPartiesRequest(source="smoke", page_size=1))
    return len(reply.parties) == 1 and reply.parties[0].source == "smoke"


@smoke("customer.v1.CustomerService/UpdateParty")
def update_party(call, left):
    request = customers.UpdatePartyRequest(party=left.party)
    request.party.person.given_name = "丽丽"
    request.update_mask.paths.append("person.given_name")
    left.party = call(request)
    return left.party.person.given_name == "丽丽"


@smoke("customer.v1.CustomerService/GetCustomer")
def get_customer(call, left):
    reply = call(customers.GetCustomerRequest(customer_id=left.party.customer_id))
    return reply.display_name == "欧阳丽丽" and reply.parties[0].source_key == left.key


@smoke("customer.v1.CustomerService/ListCustomers")
def list_customers(call, left):
    return len(call(customers.ListCustomersRequest(page_size=1)).customers) == 1


@smoke("customer.v1.CustomerService/SearchCustomers")
def search_customers(call, left):
    found = call(customers.SearchCustomersRequest(query="欧阳丽丽", page_size=100)).customers
    return left.party.customer_id in [customer.customer_id for customer in found]


@smoke("customer.v1.CustomerService/ListMemberships")
def list_memberships(call, left):
    found = call(customers.ListMembershipsRequest(source="smoke", page_size=1_000)).memberships
    return (left.key, left.party.customer_id) in [(entry.source_key, entry.customer_id) for entry in found]


@smoke("customer.v1.CustomerService/ImportParties")
def import_parties(call, left):
    party = parties.Party(source_key=f"{left.key}-1", company=parties.Company(name="第一公司"))
    row = customers.ImportPartyRow(line=2, party=party)
    request = customers.ImportPartiesRequest(source="smoke", rows=[row])
    return [(reply.created, reply.unchanged) for reply in call(iter([request, request]))] == [(1, 0), (0, 1)]


def policy(key):
    return policies.Policy(
        source_key=key, policyholder_source_key=key, product_code="SMOKE", channel=policies.CHANNEL_ONLINE,
        state=policies.POLICY_STATE_IN_FORCE, annual_premium=yuan(100), issue_date=DAY,
        premium_frequency=policies.PREMIUM_FREQUENCY_ANNUAL)


@smoke("customer.v1.PolicyService/CreatePolicy")
def create_policy(call, left):
    request = policies.CreatePolicyRequest(policy=policy(left.key))
    request.policy.source = "smoke"
    request.policy.policyholder_party_id = left.party.party_id
    left.policy = call(request)
    return left.policy.policy_id.startswith("pol_") and left.policy.annual_premium.minor_units == 10_000


@smoke("customer.v1.PolicyService/GetPolicy")
def get_policy(call, left):
    return call(policies.GetPolicyRequest(policy_id=left.policy.policy_id)) == left.policy


@smoke("customer.v1.PolicyService/ListPolicies")
def list_policies(call, left):
    request = policies.ListPoliciesRequest(policyholder_party_id=left.party.party_id)
    return [found.policy_id for found in call(request).policies] == [left.policy.policy_id]


@smoke("customer.v1.PolicyService/ChangePolicyState")
def change_policy_state(call, left):
    reply = call(policies.ChangePolicyStateRequest(
        policy_id=left.policy.policy_id, state=policies.POLICY_STATE_GRACE, etag=left.policy.etag))
    return reply.state == policies.POLICY_STATE_GRACE and reply.etag != left.policy.etag


@smoke("customer.v1.PolicyService/ImportPolicies")
def import_policies(call, left):
    row = policies.ImportPolicyRow(line=2, policy=policy(f"{left.key}-2"))
    request = policies.ImportPoliciesRequest(source="smoke", rows=[row])
    return [(reply.created, reply.unchanged) for reply in call(iter([request, request]))] == [(1, 0), (0, 1)]


@smoke("customer.v1.PolicyService/ImportPremiums")
def import_premiums(call, left):
    premium = policies.PremiumInstalment(due_date=DAY, due=yuan(100))
    row = policies.ImportPremiumRow(line=2, policy_source_key=left.key, premium=premium)
    return [reply.created for reply in call(iter([policies.ImportPremiumsRequest(source="smoke", rows=[row])]))] == [1]


@smoke("customer.v1.PolicyService/ListPremiums")
def list_premiums(call, left):
    found = call(policies.ListPremiumsRequest(policy_id=left.policy.policy_id)).premiums
    return [(premium.due_date, premium.due) for premium in found] == [(DAY, yuan(100))]


# Agent service


@smoke("agent.v1.AgentService/CreateBranch")
def create_branch(call, left):
    left.branch = call(agents.CreateBranchRequest(
        branch=agents.Branch(code=left.code, name="广东分公司", region="广东省"), request_id=left.key))
    return left.branch.branch_id.startswith("brn_") and left.branch.name == "广东分公司"


@smoke("agent.v1.AgentService/ListBranches")
def list_branches(call, left):
    return left.branch in call(agents.ListBranchesRequest(page_size=1_000)).branches


@smoke("agent.v1.AgentService/CreateTeam")
def create_team(call, left):
    left.team = call(agents.CreateTeamRequest(team=agents.Team(branch_id=left.branch.branch_id, name="先锋队")))
    return left.team.team_id.startswith("tem_") and left.team.branch_id == left.branch.branch_id


@smoke("agent.v1.AgentService/ListTeams")
def list_teams(call, left):
    return list(call(agents.ListTeamsRequest(branch_id=left.branch.branch_id)).teams) == [left.team]


@smoke("agent.v1.AgentService/CreateAgent")
def create_agent(call, left):
    left.agent = call(agents.CreateAgentRequest(agent=agents.Agent(
        code=left.code, name="王丽华", type=agents.AGENT_TYPE_OWN, branch_id=left.branch.branch_id,
        team_id=left.team.team_id, join_date=DAY)))
    return left.agent.agent_id.startswith("agt_") and left.agent.state == agents.AGENT_STATE_ACTIVE


@smoke("agent.v1.AgentService/GetAgent")
def get_agent(call, left):
    return call(agents.GetAgentRequest(agent_id=left.agent.agent_id)) == left.agent


@smoke("agent.v1.AgentService/ListAgents")
def list_agents(call, left):
    return list(call(agents.ListAgentsRequest(team_id=left.team.team_id)).agents) == [left.agent]


@smoke("agent.v1.AgentService/AddLicence")
def add_licence(call, left):
    licence = agents.Licence(number=left.code, line=agents.LICENCE_LINE_LIFE, region="广东省", valid_from=DAY)
    reply = call(agents.AddLicenceRequest(agent_id=left.agent.agent_id, licence=licence, etag=left.agent.etag))
    return list(reply.licences) == [licence]


@smoke("agent.v1.AgentService/ChangeAgentState")
def change_agent_state(call, left):
    reply = call(agents.ChangeAgentStateRequest(
        agent_id=left.agent.agent_id, state=agents.AGENT_STATE_SUSPENDED, reason="smoke"))
    return reply.state == agents.AGENT_STATE_SUSPENDED


@smoke("agent.v1.AgentService/RecordActivities")
def record_activities(call, left):
    activity = agents.Activity(agent_id=left.agent.agent_id, kind=agents.ACTIVITY_KIND_VISIT, duration_minutes=30)
    activity.activity_time.FromDatetime(datetime.datetime(2026, 3, 2))
    left.activities = call(agents.RecordActivitiesRequest(activities=[activity, activity])).activity_ids
    return len(left.activities) == 2


@smoke("agent.v1.AgentService/ListActivities")
def list_activities(call, left):
    found = call(agents.ListActivitiesRequest(agent_id=left.agent.agent_id)).activities
    return {activity.activity_id for activity in found} == set(left.activities)


# Partner service


@smoke("partner.v1.PartnerService/CreatePartner")
def create_partner(call, left):
    left.partner = call(partners.CreatePartnerRequest(partner=partners.Partner(
        code=left.code, name="第一银行", kind=partners.PARTNER_KIND_BANK, contract_from=DAY), request_id=left.key))
    return left.partner.partner_id.startswith("prt_") and left.partner.contract_from == DAY


@smoke("partner.v1.PartnerService/GetPartner")
def get_partner(call, left):
    return call(partners.GetPartnerRequest(partner_id=left.partner.partner_id)) == left.partner


@smoke("partner.v1.PartnerService/ListPartners")
def list_partners(call, left):
    reply = call(partners.ListPartnersRequest(kind=partners.PARTNER_KIND_BANK, page_size=1_000))
    return left.partner in reply.partners


@smoke("partner.v1.ProductService/CreateProduct")
def create_product(call, left):
    window = partners.SaleWindow(channel=partners.SALE_CHANNEL_ONLINE)
    getattr(window, "from").CopyFrom(DAY)
    version = partners.ProductVersion(description="first")
    getattr(version, "from").CopyFrom(DAY)
    left.product = call(partners.CreateProductRequest(product=partners.Product(
        code=left.code, name="终身寿险", line=partners.PRODUCT_LINE_WHOLE_LIFE, versions=[version],
        sale_windows=[window])))
    return left.product.product_id.startswith("prd_") and left.product.state == partners.PRODUCT_STATE_ON_SALE


@smoke("partner.v1.ProductService/GetProduct")
def get_product(call, left):
    return call(partners.GetProductRequest(code=left.code)) == left.product


@smoke("partner.v1.ProductService/ListProducts")
def list_products(call, left):
    reply = call(partners.ListProductsRequest(on_sale_channel=partners.SALE_CHANNEL_ONLINE, page_size=1_000))
    return left.product in reply.products


@smoke("partner.v1.ProductService/AddProductVersion")
def add_product_version(call, left):
    version = partners.ProductVersion(description="second")
    getattr(version, "from").CopyFrom(Date(year=2026, month=4, day=1))
    reply = call(partners.AddProductVersionRequest(product_id=left.product.product_id, version=version))
    return [version.version for version in reply.versions] == [1, 2]


@smoke("partner.v1.ProductService/SetSaleWindows")
def set_sale_windows(call, left):
    window = partners.SaleWindow(channel=partners.SALE_CHANNEL_GROUP)
    getattr(window, "from").CopyFrom(DAY)
    reply = call(partners.SetSaleWindowsRequest(product_id=left.product.product_id, sale_windows=[window]))
    return list(reply.sale_windows) == [window]


@smoke("partner.v1.ProductService/WithdrawProduct")
def withdraw_product(call, left):
    reply = call(partners.WithdrawProductRequest(product_id=left.product.product_id, reason="smoke"))
    return reply.state == partners.PRODUCT_STATE_WITHDRAWN and reply.withdraw_reason == "smoke"


# Reporting service


@smoke("reporting.v1.ReportingService/ListReports")
def list_reports(call, left):
    found = call(reports.ListReportsRequest()).reports
    return {"kpi", "persistency", "survival", "end-causes"} <= {report.name for report in found}


@smoke("reporting.v1.ReportingService/RunReport")
def run_report(call, left):
    reply = call(reports.RunReportRequest(name="persistency", by=reports.DIMENSION_CHANNEL, months=[13]))
    return [column.name for column in reply.columns] == ["channel", "month", "policies", "kept", "persistency"]


@smoke("reporting.v1.ReportingService/RebuildReports")
def rebuild_reports(call, left):
    return call(reports.RebuildReportsRequest(service="agent")).events > 0


@smoke("reporting.v1.ReportingService/GetLag")
def get_lag(call, left):
    return {lag.service for lag in call(reports.GetLagRequest()).lags} == {"customer", "agent", "partner"}


# What several services have


@smoke("platform.v1.EventService/Subscribe")
def subscribe(call, left):
    # The last calls may have no place in the stream yet: waits for an event, then reads what there is to its end.
    waiting = call(events.SubscribeRequest())
    next(page for page in waiting if page.events)
    waiting.cancel()
    pages = list(call(events.SubscribeRequest(until_caught_up=True)))
    return pages[-1].caught_up and pages[-1].resume_token and any(page.events for page in pages)


@smoke("platform.v1.EventLogService/GetEventLog")
def get_event_log(call, left):
    log = call(events.GetEventLogRequest())
    return log.epoch and log.last_position >= log.removed_up_to


@smoke("platform.v1.WebhookService/CreateWebhook")
def create_webhook(call, left):
    # The service refuses an address that is not public: nothing is sent.
    request = webhooks.CreateWebhookRequest(
        url="https://127.0.0.1:9/", types=["smoke.v1.Nothing"], request_id=str(uuid.uuid4()))
    made = call(request)
    left.webhook = made.webhook.webhook_id
    return made.secret.startswith("whsec_") and call(request) == made


@smoke("platform.v1.WebhookService/ListWebhooks")
def list_webhooks(call, left):
    return left.webhook in {webhook.webhook_id for webhook in call(webhooks.ListWebhooksRequest()).webhooks}


@smoke("platform.v1.WebhookService/PauseWebhook")
def pause_webhook(call, left):
    return call(webhooks.PauseWebhookRequest(webhook_id=left.webhook)).state == webhooks.WEBHOOK_STATE_PAUSED


@smoke("platform.v1.WebhookService/ResumeWebhook")
def resume_webhook(call, left):
    return call(webhooks.ResumeWebhookRequest(webhook_id=left.webhook)).state == webhooks.WEBHOOK_STATE_ACTIVE


@smoke("platform.v1.WebhookService/RotateWebhookSecret")
def rotate_webhook_secret(call, left):
    return call(webhooks.RotateWebhookSecretRequest(webhook_id=left.webhook)).secret.startswith("whsec_")


@smoke("platform.v1.WebhookService/ListDeadLetters")
def list_dead_letters(call, left):
    return not call(webhooks.ListDeadLettersRequest(webhook_id=left.webhook)).dead_letters


@smoke("platform.v1.WebhookService/ReplayDeadLetters")
def replay_dead_letters(call, left):
    return call(webhooks.ReplayDeadLettersRequest(webhook_id=left.webhook)).replayed == 0


@smoke("platform.v1.WebhookService/DeleteWebhook")
def delete_webhook(call, left):
    return call(webhooks.DeleteWebhookRequest(webhook_id=left.webhook)) == webhooks.DeleteWebhookResponse()


@smoke("platform.v1.WebhookSourceService/ListWebhookSources")
def list_webhook_sources(call, left):
    left.kinds = [kind.name for kind in call(sources.ListWebhookSourcesRequest()).kinds]
    return left.kinds and all(left.kinds)


@smoke("platform.v1.WebhookSourceService/CreateWebhookSource")
def create_webhook_source(call, left):
    request = sources.CreateWebhookSourceRequest(
        name=f"smoke-{left.key}", kind=left.kinds[0], request_id=str(uuid.uuid4()))
    made = call(request)
    left.source, left.source_secret = made.source.source_id, made.secret
    return made.secret.startswith("whsec_") and call(request) == made


@smoke("platform.v1.WebhookSourceService/ReceiveWebhook")
def receive_webhook(call, left):
    body, moment = b'{"nothing": "that is known"}', str(int(time.time()))
    key = base64.b64decode(left.source_secret.removeprefix("whsec_"))
    signature = hmac.new(key, f"msg_1.{moment}.".encode() + body, hashlib.sha256).digest()
    reply = call(sources.ReceiveWebhookRequest(
        source_id=left.source, webhook_id="msg_1", timestamp=moment, body=body,
        signature="v1," + base64.b64encode(signature).decode()))
    return not reply.applied


@smoke("platform.v1.WebhookSourceService/ListUnappliedPosts")
def list_unapplied_posts(call, left):
    posts = call(sources.ListUnappliedPostsRequest(source_id=left.source)).posts
    return [post.webhook_id for post in posts] == ["msg_1"] and posts[0].error


@smoke("platform.v1.WebhookSourceService/ApplyUnappliedPosts")
def apply_unapplied_posts(call, left):
    tried = call(sources.ApplyUnappliedPostsRequest(source_id=left.source))
    dropped = call(sources.ApplyUnappliedPostsRequest(source_id=left.source, webhook_ids=["msg_1"], discard=True))
    return tried.refused == 1 and dropped.done == 1


@smoke("platform.v1.WebhookSourceService/RotateWebhookSourceSecret")
def rotate_webhook_source_secret(call, left):
    rotated = call(sources.RotateWebhookSourceSecretRequest(source_id=left.source))
    return rotated.secret.startswith("whsec_") and rotated.secret != left.source_secret


@smoke("platform.v1.WebhookSourceService/DeleteWebhookSource")
def delete_webhook_source(call, left):
    return call(sources.DeleteWebhookSourceRequest(source_id=left.source)) == sources.DeleteWebhookSourceResponse()


@smoke("platform.v1.ProductCopyService/ListProductCopies")
def list_product_copies(call, left):
    # Events take their time: a fraction of a second.
    patience = time.monotonic() + 30
    while time.monotonic() < patience:
        reply = call(copies.ListProductCopiesRequest(page_size=1))
        if reply.products and reply.status.connected:
            left.copy = reply.products[0]
            return True
    return False


@smoke("platform.v1.ProductCopyService/GetProductCopy")
def get_product_copy(call, left):
    return call(copies.GetProductCopyRequest(code=left.copy.code)).product.product_id.startswith("prd_")


@smoke("platform.v1.JobService/ListJobKinds")
def list_job_kinds(call, left):
    return "housekeeping" in {kind.kind for kind in call(jobs.ListJobKindsRequest()).kinds}


@smoke("platform.v1.JobService/StartJob")
def start_job(call, left):
    left.job = call(jobs.StartJobRequest(kind="housekeeping", request_id=str(uuid.uuid4())))
    return left.job.state == jobs.JOB_STATE_WAITING


@smoke("platform.v1.JobService/WatchJob")
def watch_job(call, left):
    return list(call(jobs.WatchJobRequest(job_id=left.job.job_id)))[-1].state == jobs.JOB_STATE_SUCCEEDED


@smoke("platform.v1.JobService/GetJob")
def get_job(call, left):
    return call(jobs.GetJobRequest(job_id=left.job.job_id)).HasField("end_time")


@smoke("platform.v1.JobService/ListJobs")
def list_jobs(call, left):
    return left.job.job_id in {job.job_id for job in call(jobs.ListJobsRequest(kind="housekeeping")).jobs}


@smoke("platform.v1.JobService/CancelJob")
def cancel_job(call, left):
    try:
        call(jobs.CancelJobRequest(job_id=left.job.job_id))
    except grpc.RpcError as error:
        return error.code() == grpc.StatusCode.FAILED_PRECONDITION
    return False


@smoke("platform.v1.MaintenanceService/BackUpDatabase")
def back_up_database(call, left):
    folder = tempfile.mkdtemp()
    size = call(maintenance.BackUpDatabaseRequest(path=folder + "/backup.db")).byte_count
    file = os.stat(folder + "/backup.db")
    shutil.rmtree(folder)
    return size == file.st_size > 0 and file.st_mode & 0o777 == 0o600


# Audit log


def root_from(entry, size, hashes):
    """The root that a proof leads to (RFC 9162, 2.1.3.2), computed here from the entry's bytes."""
    node, last = entry.position, size - 1
    root = hashlib.sha256(b"\0" + entry.body).digest()
    for sibling in hashes:
        if node & 1 or node == last:
            root = hashlib.sha256(b"\1" + sibling + root).digest()
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            root = hashlib.sha256(b"\1" + root + sibling).digest()
        node, last = node >> 1, last >> 1
    return root if last == 0 else None


def signed(note):
    """Size and root of a checkpoint."""
    lines = note.split("\n")
    return int(lines[1]), base64.b64decode(lines[2])


@smoke("platform.v1.AuditService/GetCheckpoint")
def get_checkpoint(call, left):
    patience = time.monotonic() + 30
    while time.monotonic() < patience:
        try:
            left.note = call(audit.GetCheckpointRequest()).note
            return left.note.startswith("mainstay/") and signed(left.note)[0] > 0
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
    return False


@smoke("platform.v1.AuditService/GetInclusionProof")
def get_inclusion_proof(call, left):
    reply = left.first = call(audit.GetInclusionProofRequest(position=0))
    size, root = signed(reply.note)
    return reply.tree_size == size and root_from(reply.entry, size, reply.hashes) == root


@smoke("platform.v1.AuditService/GetConsistencyProof")
def get_consistency_proof(call, left):
    # The first entry alone is a tree too: from it and the proof, today's root.
    reply = call(audit.GetConsistencyProofRequest(first_size=1))
    return root_from(left.first.entry, reply.second_size, reply.hashes) == signed(reply.note)[1]


@smoke("platform.v1.AuditService/ListAuditEntries")
def list_audit_entries(call, left):
    reply = call(audit.ListAuditEntriesRequest(page_size=2))
    return reply.entries[0].position == 0 and reply.entries[0].kind == audit.AUDIT_KIND_BEGINNING


@smoke("platform.v1.AuditService/ListWitnessedCheckpoints")
def list_witnessed_checkpoints(call, left):
    patience = time.monotonic() + 30
    while time.monotonic() < patience:
        found = call(audit.ListWitnessedCheckpointsRequest()).checkpoints
        if found:
            left.witnessed = found[0].note
            return not found[0].refusal and signed(left.witnessed)[0] > 0
    return False


@smoke("platform.v1.AuditService/RecordCheckpoint")
def record_checkpoint(call, left):
    reply = call(audit.RecordCheckpointRequest(note=left.witnessed))
    return reply.recorded and reply.witnessed_size >= signed(left.witnessed)[0]


# The run


failures = []


def check(name, holds, seen=""):
    print(("ok   " if holds else "FAIL ") + name + ("" if holds else f": {seen}"))
    if not holds:
        failures.append(name)


def read(name):
    with open(f"{pki}/{name}", "rb") as file:
        return file.read()


credentials = grpc.ssl_channel_credentials(read("ca.pem"), read("admin-key.pem"), read("admin.pem"))


def channel(port):
    return grpc.secure_channel(f"localhost:{port}", credentials)


def attempt(function, call, left):
    """Whether the smoke call's reply holds; and why not, if it does not."""
    try:
        return bool(function(call, left)), "the reply is not what it should be"
    except Exception as error:  # a smoke call that cannot even be made is a failure like any other
        return False, error.details() if isinstance(error, grpc.RpcError) else repr(error)


def run(process, offered, way, through, metadata):
    """Calls every method of the services that a process offers, in the order of the smoke calls."""
    left = Left()
    methods = {f"{name}/{method}" for name in offered for method in services[name][0].methods_by_name}
    for missing in sorted(methods - SMOKES.keys()):
        check(f"{process}: {missing} {way}", False, "has no smoke call in Tests/Integration/grpc_smoke.py")
    for method in (method for method in SMOKES if method in methods):
        service, name = method.split("/")
        stub = getattr(services[service][1](through), name)
        holds, seen = attempt(
            SMOKES[method], lambda request: stub(request, timeout=60, metadata=metadata), left)
        check(f"{process}: {method} {way}", holds, seen)


offers = {}
for process, port in ports.items():
    reflected = ProtoReflectionDescriptorDatabase(channel(port)).get_services()
    offers[process] = [name for name in reflected if name.startswith("mainstay.")]
    unknown = [name for name in offers[process] if name not in services]
    check(f"{process}: all its services are in proto/", offers[process] and not unknown, unknown or "it has none")
offered = {name for names in offers.values() for name in names}
check("each service of the protos is offered", offered == set(services), sorted(set(services) - offered))
stale = SMOKES.keys() - {f"{name}/{method}" for name in services for method in services[name][0].methods_by_name}
check("each smoke call has its method", not stale, sorted(stale))

# The partner service first: the others' copies of products are filled by it.
for process in sorted(ports, key=lambda name: (name != "partner", name == "reporting", name)):
    run(process, offers[process], "directly", channel(ports[process]), [])
    run(process, offers[process], "through the gateway", channel(gateway), [("mainstay-service", process)])

print(f"{len(failures)} failed")
sys.exit(1 if failures else 0)
