from marketing.models.blob import Blob
from marketing.models.contact import Contact, CountryPolicy, Suppression
from marketing.models.directory import (
    Backlink,
    BacklinkLook,
    Directory,
    Prospect,
    SubmissionPacket,
)
from marketing.models.effect import Effect
from marketing.models.gap import KeywordGap
from marketing.models.job import JobRun
from marketing.models.keyword import Brief, Keyword, KeywordCluster
from marketing.models.manifest import Manifest
from marketing.models.message import InboxMessage, MailEvent, Message
from marketing.models.outreach import Category, Mailbox, Template
from marketing.models.page import HostCircuit, IndexNowSubmission, OwnPage
from marketing.models.post import Post
from marketing.models.rank import ProviderSpend, RankAlert, RankReading
from marketing.models.rival import Competitor, ObservedTerm, PageSnapshot
from marketing.models.schedule import JobName, JobSchedule
from marketing.models.site import Site
from marketing.models.version import PostVersion

__all__ = [
    "Backlink",
    "BacklinkLook",
    "Blob",
    "Brief",
    "Category",
    "Competitor",
    "Contact",
    "CountryPolicy",
    "Directory",
    "Effect",
    "HostCircuit",
    "InboxMessage",
    "IndexNowSubmission",
    "JobName",
    "JobRun",
    "JobSchedule",
    "Keyword",
    "KeywordCluster",
    "KeywordGap",
    "MailEvent",
    "Mailbox",
    "Manifest",
    "Message",
    "ObservedTerm",
    "OwnPage",
    "PageSnapshot",
    "Post",
    "PostVersion",
    "Prospect",
    "ProviderSpend",
    "RankAlert",
    "RankReading",
    "Site",
    "SubmissionPacket",
    "Suppression",
    "Template",
]
