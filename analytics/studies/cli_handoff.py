"""Commands that take something out of a published report: pictures, a print, a deck, lists for the CRM."""

from __future__ import annotations

from pathlib import Path

import click

from analytics.studies.plainly import plainly

_PARAMS = click.argument("params", type=click.Path(path_type=Path))
_REPORTS = click.option(
    "--reports", type=click.Path(path_type=Path), help="Where reports are (default: beside the params folder)."
)
_DEBUG = click.option("--debug", is_flag=True, help="Show tracebacks.")

EXPORT_HELP = """Write figures of a published report as pictures, or print the report.

PARAMS is the quarter's file; the report is the one that its index.html leads
to. A figure is named by the result that it shows (period_incidence), with the
notebook's name before it where two share one (01_quarter/period_incidence);
--list prints all names. Without --figure every figure is written.

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
@_REPORTS
@_DEBUG
def export(
    params: Path, names: tuple[str, ...], formats: tuple[str, ...], out: Path | None, to_print: bool,
    only_list: bool, reports: Path | None, debug: bool,
) -> None:  # fmt: skip
    """Write pictures of figures; see EXPORT_HELP."""
    from analytics.studies.export import chosen_figures, export_figures, print_report, saved_figures
    from analytics.studies.published_run import current_run

    with plainly(debug):
        run = current_run(params, reports)
        if to_print:
            target = print_report(run, out or Path(f"{run.company.company}-{run.name}.pdf"))
            click.echo(f"Written: {target}")
            return
        figures = chosen_figures(saved_figures(run), names)
        if only_list:
            for figure in figures:
                click.echo(f"{figure.name}  {figure.title}")
            return
        folder = out or Path(f"{run.company.company}-{run.name}-figures")
        files = export_figures(figures, folder, formats or ("png",))
        click.echo(f"Written: {len(files)} picture{'s' if len(files) != 1 else ''} in {folder}")
