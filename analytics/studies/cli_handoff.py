"""Commands that take something out of a published report: pictures, a print, a deck, lists for the CRM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from analytics.studies.plainly import plainly

_PARAMS = click.argument("params", type=click.Path(path_type=Path))
REPORTS = click.option(
    "--reports", type=click.Path(path_type=Path), help="Where reports are (default: beside the params folder)."
)
_TEAM = click.option("--team", metavar="NAME", help="The report of this team in place of the company's.")
DEBUG = click.option("--debug", is_flag=True, help="Show tracebacks.")

EXPORT_HELP = """Write figures of a published report as pictures, or print the report.

PARAMS is the quarter's file; the report is the one that its index.html leads
to. A figure is named by the result that it shows (period_incidence), with the
notebook's name before it where two share one (01_quarter/period_incidence);
those of `winloss trend` and `compare` are trend/quarters and the like. --list
prints all names. Without --figure every figure is written.

Pictures take the extra `export` (kaleido) and a Chromium on this machine; a
print takes both too. Nothing is sent anywhere.
"""


@click.command(help=EXPORT_HELP, short_help="Figures as PNG, SVG or PDF; the report as a PDF to print.")
@_PARAMS
@click.option("--figure", "names", multiple=True, metavar="NAME", help="Only this figure; may be repeated.")
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(["png", "svg", "pdf"]), help="May be repeated.  [png]"
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the pictures, or file of the print.")
@click.option("--print", "to_print", is_flag=True, help="Print the whole report into one PDF instead.")
@click.option("--list", "only_list", is_flag=True, help="List the names of the figures.")
@REPORTS
@_TEAM
@DEBUG
def export(
    params: Path, names: tuple[str, ...], formats: tuple[str, ...], out: Path | None, debug: bool, **options: Any
) -> None:
    """Write pictures of figures; see EXPORT_HELP."""
    from analytics.studies.export import chosen_figures, export_figures, print_report, saved_figures
    from analytics.studies.published_run import current_run

    with plainly(debug):
        run = current_run(params, options["reports"], team=options["team"])
        if options["to_print"]:
            target = print_report(run, out or Path(f"{run.file_name}.pdf"))
            click.echo(f"Written: {target}")
            return
        figures = chosen_figures(saved_figures(run), names)
        if options["only_list"]:
            for figure in figures:
                click.echo(f"{figure.name}  {figure.title}")
            return
        folder = out or Path(f"{run.file_name}-figures")
        files = export_figures(figures, folder, formats or ("png",))
        click.echo(f"Written: {len(files)} picture{'s' if len(files) != 1 else ''} in {folder}")


SLIDES_HELP = """Write the quarter's findings as a PPTX deck of at most eight slides.

PARAMS is the quarter's file. Nothing is computed: titles are the published
findings with their n and interval, tables are native and can be edited,
figures are pictures with a description. Takes the extras `slides` and
`export`, and a Chromium on this machine.
"""


@click.command(help=SLIDES_HELP, short_help="The quarter's findings as an editable PPTX deck.")
@_PARAMS
@click.option("--out", type=click.Path(path_type=Path), help="The file (default: <company>-<quarter>.pptx here).")
@REPORTS
@_TEAM
@DEBUG
def slides(params: Path, out: Path | None, reports: Path | None, team: str | None, debug: bool) -> None:
    """Write the deck; see SLIDES_HELP."""
    from analytics.studies.published_run import current_run
    from analytics.studies.slides import write_slides

    with plainly(debug):
        run = current_run(params, reports, team=team)
        target = out or Path(f"{run.file_name}.pptx")
        click.echo(f"Written: {target}, {write_slides(run, target)} slides")


EXPORT_DEALS_HELP = """Write which deals bear which flag, as CSV, for loading back into the CRM.

PARAMS is the quarter's file. One row per deal and flag: deal_id, flag, rule,
flagged_on, as_of. Flags are no_decision (closed, with the reason that the
rules call no decision), no_decision_inferred (a rule of the params fired) and
looks_dead (open, and bears the mark at the as-of date). Not for a company
whose params say share: safe.
"""


@click.command(name="export-deals", help=EXPORT_DEALS_HELP, short_help="Flags of deals as CSV, for the CRM.")
@_PARAMS
@click.option("--out", type=click.Path(path_type=Path), help="The file (default: <company>-<quarter>-deals.csv here).")
@DEBUG
def export_deals(params: Path, out: Path | None, debug: bool) -> None:
    """Write the flags; see EXPORT_DEALS_HELP."""
    from analytics.studies.export_deals import write_flags

    with plainly(debug):
        target, rows = write_flags(params, out)
        click.echo(f"Written: {target}, {rows:,} row{'s' if rows != 1 else ''}")
