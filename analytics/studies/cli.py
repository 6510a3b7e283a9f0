"""The `winloss` command."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import click

from analytics.records.errors import InputError
from analytics.studies.cli_handoff import DEBUG, REPORTS, export, export_deals, slides
from analytics.studies.exits import DONE, INPUT
from analytics.studies.plainly import for_terminal, plainly

HELP = """Why deals are won, lost, or end in no decision: a quarter's study of a CRM export.

\b
See the demo company first:
    winloss run params/demo-2025Q4.yaml

\b
Then your own export:
  1. Put the files in a folder. From Salesforce: Opportunity and
     OpportunityHistory, and where you have them OpportunityFieldHistory,
     Task and User, as CSV. From anywhere else one table of deals is enough
     (CSV, Parquet, Excel or a SQL table).
  2. winloss init salesforce --company acme  writes params/acme.yaml with
     every key explained; `source` says where the files are and what the
     columns are called. Other kinds: hubspot, dynamics, pipedrive, flat (one
     table of deals), snapshots (dated extracts), events (an event log).
  3. winloss check params/acme.yaml  says what was found, what is missing and
     what that rules out, and lists the values to choose a scope from.
  4. winloss init quarter --company acme --quarter 2025Q4  writes the quarter's
     file: the quarter, and as_of, the last day whose records are used.
  5. winloss run params/acme-2025Q4.yaml

What is wrong with the input is said in one sentence, and an earlier report
stays as it was. `winloss run --help` lists the exit codes.
"""

RUN_HELP = """Run a quarter's notebooks and print where the report is.

PARAMS is the quarter's file, params/<company>-<quarter>.yaml; the company's
own file is read from beside it. Or PARAMS is the company's file, with
--quarter 2025Q4, or --quarter latest for the newest quarter that ended at
least `settling_days` ago: as of its last day plus these days. The report is
written to reports/<company>/<quarter>/, next to the params folder. Notebooks
that an earlier run finished, and whose input, params and code are the same,
are taken from there. With --team the same notebooks run over one team's deals
(without data health), into teams/<team>/ beside the company's own report;
`teams: pages` in the company's params makes one for each team after it.

\b
Exit codes:
    0  done
    1  a study failed
    2  the input or the parameters cannot be used
    3  another run is at work on the same company and quarter
    4  a kernel died
    5  a study took too long
    6  a folder cannot be written, or a file cannot be read: its rights
    7  the disk is full
  130  stopped
"""


CHECK_HELP = """Say what is in an export and what it can answer, without running a study.

PARAMS is a company's file or a quarter's. Prints what was read and rejected,
which objects and tables are missing and which questions that rules out, the
stages and what they mean, the deals in scope (or the lines to choose a scope
from), from when on each kind of answer can be trusted, and settings and traps
to look at. It only reads, and it shows counts and columns, never a deal.

\b
Exit codes:
    0  a study can run
    1  the check failed
    2  the input or the parameters cannot be used; the sentence says why
"""


INIT_HELP = """Write a params file to begin with, every key in it explained.

KIND is salesforce, hubspot, dynamics, pipedrive, flat (one table of deals, or
one row per recorded state), snapshots (dated full extracts), events (an event
log), or quarter for a quarter's file. Keys that are optional are commented
out. A file that is there already stays as it is.
"""


@click.group(help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88})
@click.version_option(package_name="winloss", message="winloss %(version)s")
def main() -> None:
    """Entry point; see HELP."""


@main.command(help=RUN_HELP)
@click.argument("params", type=click.Path(path_type=Path))
@click.option("--quarter", metavar="NAME", help="Which quarter, where PARAMS is a company's file; or latest.")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="With --quarter: as if it were this day (default: the clock's).",
)
@click.option(
    "--reports", type=click.Path(path_type=Path), help="Where reports go (default: beside the params folder)."
)
@click.option("--only", multiple=True, metavar="NAME", help="Run just this notebook (quarter); may be repeated.")
@click.option("--notebooks", type=click.Path(path_type=Path), help="Where the notebooks are.")
@click.option("--fresh", is_flag=True, help="Run all notebooks again, the unchanged ones too.")
@click.option(
    "--timeout",
    "seconds",
    default=1800,
    show_default=True,
    type=click.IntRange(1),
    metavar="SECONDS",
    help="How long one notebook may take.",
)
@click.option("--team", "teams", multiple=True, metavar="NAME", help="A report of this team's deals; or: all.")
@DEBUG
def run(
    params: Path, quarter: str | None, today: dt.datetime | None, teams: tuple[str, ...], debug: bool, **options: Any
) -> None:
    """Run a quarter's notebooks; see RUN_HELP."""
    from analytics.studies.run import Options
    from analytics.studies.run_teams import run_all
    from analytics.studies.schedule import quarter_asked

    with plainly(debug):
        asked = params if quarter is None else quarter_asked(params, quarter, (today or dt.datetime.now()).date())
        for result in run_all(asked, Options(**options), teams):
            for outcome in result.outcomes:
                if debug and outcome.traceback:
                    click.echo(for_terminal(outcome.traceback), err=True)
            if result.exit_code != DONE:
                click.echo("The report was not replaced. What was done is in " + str(result.folder), err=True)
                sys.exit(result.exit_code)
            click.echo(f"Report: {result.page}")


@main.command(help=CHECK_HELP, short_help="Say what is in an export, and what it can answer.")
@click.argument("params", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The same as JSON, for machines.")
@DEBUG
def check(params: Path, as_json: bool, debug: bool) -> None:
    """Check a company's records; see CHECK_HELP."""
    from analytics.studies.check import check as check_records
    from analytics.studies.check_words import words_of

    with plainly(debug):
        report = check_records(params)
        if as_json:
            click.echo(json.dumps(report.facts, ensure_ascii=False, allow_nan=False, indent=2))
        else:
            click.echo(words_of(report.facts))
        if not report.can_run:
            sys.exit(INPUT)


@main.command(help=INIT_HELP, short_help="Write a params file to begin with.")
@click.argument("kind")
@click.option("--company", default="acme", show_default=True, help="The company's short name: a-z, 0-9 and _.")
@click.option("--quarter", help="Which quarter (2025Q4); writes the quarter's file.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("params"), show_default=True)
@DEBUG
def init(kind: str, company: str, quarter: str | None, folder: Path, debug: bool) -> None:
    """Write a params file; see INIT_HELP."""
    from analytics.studies.init import company_template, quarter_file, write_new

    with plainly(debug):
        path = folder / f"{company}.yaml"
        if kind != "quarter":
            write_new(path, company_template(kind, company))
            click.echo(f"Written: {path}. Fill in what is marked with <-, then: winloss check {path}")
        if quarter is not None or kind == "quarter":
            of_quarter, text = quarter_file(folder, company, quarter)
            write_new(of_quarter, text)
            click.echo(f"Written: {of_quarter}. Check the quarter and as_of, then: winloss run {of_quarter}")


@main.command(short_help="Lay two published quarters side by side.")
@click.argument("company")
@click.argument("then")
@click.argument("now")
@REPORTS
@DEBUG
def compare(company: str, then: str, now: str, reports: Path | None, debug: bool) -> None:
    """Lay two published quarters of COMPANY side by side: winloss compare demo 2025Q3 2025Q4.

    Both as they were first published, beside what is known of them now, and what moved between. Everything is read from
    what runs saved; nothing is counted again.
    """
    from analytics.studies.compare import compare as compared
    from analytics.studies.places import reports_of

    with plainly(debug):
        page, found, said = compared(reports_of(company, reports), company, (then, now))
        for sentence in said if found is not None else [*said, "Nothing of them can be compared; both are shown."]:
            click.echo(for_terminal(sentence))
        click.echo(f"Page: {page}")


@main.command(short_help="Lay all published quarters side by side.")
@click.argument("company")
@REPORTS
@DEBUG
def trend(company: str, reports: Path | None, debug: bool) -> None:
    """Lay all published quarters of COMPANY side by side: winloss trend demo.

    As they were first published, beside what is known of them now; the newest run also knows the two years before its
    quarter. Everything is read from what runs saved; nothing is counted again.
    """
    from analytics.studies.places import reports_of
    from analytics.studies.trend import trend as laid_out

    with plainly(debug):
        click.echo(f"Page: {laid_out(reports_of(company, reports), company)[0]}")


@main.command(short_help="Write an invented company's Salesforce export, to practise on.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo-export"))
@click.option("--deals", default=2600, show_default=True, type=click.IntRange(1), help="How many deals.")
@click.option("--seed", default=2025, show_default=True, help="The same seed writes the same files.")
@DEBUG
def demo(folder: Path, deals: int, seed: int, debug: bool) -> None:
    """Write an invented company's Salesforce export into FOLDER, to practise on.

    Nobody in it exists, and what it should show is known.
    """
    from analytics.records.sources.simulated.demo import write_demo

    with plainly(debug):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError("is there already and is not an empty folder", file=str(folder), action="Name another one")
        write_demo(folder, deals=deals, seed=seed)
        click.echo(f"Written to {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
        click.echo("To study it, copy params/demo.yaml, and let source.folder name this folder.")


for _command in (export, export_deals, slides):
    main.add_command(_command)

if __name__ == "__main__":
    main()
