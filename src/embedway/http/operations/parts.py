"""What the operations are made of: who words their errors, who answers, and examples of what is asked."""

from __future__ import annotations

from dataclasses import dataclass

from embedway.access.usage import UsageLog
from embedway.egress import Egress, EgressRules
from embedway.engine.engine import Engine
from embedway.http.dialects import cohere, infinity, tei, vllm
from embedway.http.dialects.instances import Instances
from embedway.http.dialects.openai import OpenAI
from embedway.http.dialects.opensearch import OpenSearch
from embedway.http.dialects.pictures import Pictures
from embedway.http.dialects.platform import Platform
from embedway.http.dialects.ranking import Ranking
from embedway.http.registry import Registry
from embedway.http.tenancy import Tenancy
from embedway.http.training import Trainings
from embedway.jobs.jobs import Jobs
from embedway.models.images import LIMITS
from embedway.settings import Settings

OPENAI = OpenAI()
OPENSEARCH, OPENSEARCH_DOCS = OpenSearch(), OpenSearch("$.docs")
COHERE = cohere.Cohere()
INSTANCES, PLATFORM = Instances(), Platform()
INFINITY_DOCUMENTS, INFINITY_INPUT = infinity.Infinity("$.documents"), infinity.Infinity("$.input")
TEI_TEXTS, TEI_INPUTS, TEI_IDS = tei.Tei("$.texts"), tei.Tei("$.inputs"), tei.Tei("$.ids")
TEI_SENTENCES, VLLM = tei.Tei("$.inputs.sentences"), vllm.Vllm()
RERANK = ("/v1/rerank", "/rerank")
QUERY = "What is the capital of France?"
DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France."]
TEXTS = ["Science and technology are the primary productive forces", "opensearch product documentation"]

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
"""A grey PNG of one pixel."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What answers."""

    engine: Engine
    settings: Settings
    ranking: Ranking
    pictures: Pictures
    registry: Registry
    tenancy: Tenancy
    jobs: Jobs
    usage: UsageLog
    trainings: Trainings

    @property
    def timeout_s(self) -> float:
        return self.settings.request_timeout_s


def make_parts(
    engine: Engine,
    settings: Settings,
    registry: Registry | None = None,
    tenancy: Tenancy | None = None,
    jobs: Jobs | None = None,
    usage: UsageLog | None = None,
    trainings: Trainings | None = None,
) -> Parts:
    """What all operations share. Without what keeps things in the store, they are good for describing them only."""
    rules = EgressRules(settings.image_url_host, settings.allow_private_urls, LIMITS.bytes)
    ranking = Ranking(engine, settings.request_timeout_s)
    return Parts(
        engine,
        settings,
        ranking,
        Pictures(Egress(rules)),
        registry or Registry(settings, engine),
        tenancy or Tenancy(settings, engine),
        jobs or Jobs(engine),
        usage or UsageLog(),
        trainings or Trainings(settings, engine),
    )
