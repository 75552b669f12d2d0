"""The lab article of a project: what was asked, trained, drawn, measured and seen, as one HTML file and as Markdown.

`material` reads the project, the modules named after subjects turn it into the blocks of `article`, `composing` puts
them in order; `page` and `markdownpage` write the same blocks down, and `writing` keeps the files. Nothing is trained
or drawn; pictures that were not measured yet are measured.
"""

from loratui.lab.report.writing import write_report

__all__ = ["write_report"]
