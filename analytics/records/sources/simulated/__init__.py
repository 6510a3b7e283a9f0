"""A simulated company with known truth: what it recorded, and what really happened."""

from analytics.records.sources.simulated.company import Company, simulate
from analytics.records.sources.simulated.config import SimulationConfig
from analytics.records.sources.simulated.demo import write_demo
from analytics.records.sources.simulated.export import to_salesforce
from analytics.records.sources.simulated.followed import followed_truth
from analytics.records.sources.simulated.history import read_simulated, to_history
from analytics.records.sources.simulated.truth import latent_truth

__all__ = [
    "Company",
    "SimulationConfig",
    "followed_truth",
    "latent_truth",
    "read_simulated",
    "simulate",
    "to_history",
    "to_salesforce",
    "write_demo",
]
