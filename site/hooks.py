"""What Sphinx and the theme lack for these pages."""

import html
import os
import re
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

from tools import publish, staging

SOURCE = publish.written_down()


class Untranslated(SphinxTransform):
    """Block formulas stay out of the catalogues: a translated one would become a code block."""

    default_priority = 5  # before Sphinx puts the translations in

    def apply(self, **kwargs):
        for node in self.document.findall(nodes.math_block):
            node["translatable"] = False


class Links(SphinxPostTransform):
    """A link to a file that is no page here leads to the English page, or to the repository.

    Notebooks write a heading's anchor with its capitals, as JupyterLab does; a page has none.
    """

    default_priority = 5  # before MyST looks for it

    def run(self, **kwargs):
        places = {name for node in self.document.findall(nodes.section) for name in node["ids"]}
        for node in list(self.document.findall(addnodes.pending_xref)):
            if node["reftype"] == "myst" and not node["refdomain"]:
                if (place := node["reftarget"].lower()) in places:
                    node.replace_self(nodes.reference("", "", *node.children, refuri=f"#{place}"))
                    continue
                target, _, anchor = node["reftarget"].partition("#")
                if not target:
                    continue
                address = self.address(target) + (f"#{anchor}" if anchor else "")
                if address.endswith("/unit.html"):
                    self.embed(node.parent, address)
                node.replace_self(nodes.reference("", "", *node.children, refuri=address))

    def embed(self, paragraph: nodes.Element, address: str) -> None:
        """The unit to play with, below the paragraph that links to it."""
        title = html.escape(staging.unit_title(self.config.language))
        frame = (
            f'<iframe class="unit" src="{address}?embed" title="{title}" loading="lazy"></iframe>'
        )
        place = paragraph.parent.index(paragraph) + 1
        paragraph.parent.insert(place, nodes.raw("", frame, format="html"))

    def address(self, target: str) -> str:
        docname = self.env.docname
        path = os.path.normpath(os.path.join(os.path.dirname(docname), target)).replace("\\", "/")
        page = "index" if path == staging.START else os.path.splitext(path)[0]
        root = "../" * docname.count("/")
        if page in self.env.found_docs:
            return f"{root}{page}.html"
        if path == "site/unit.html":
            return f"{root}unit.html"
        if self.config.language != "en" and page in english():
            return f"{root}../{page}.html"
        return f"{SOURCE.address}/blob/{SOURCE.ref}/{path}"


def english() -> set[str]:
    """The pages that there are in English."""
    return pages(staging.BUILD / "en")


def pages(folder: Path) -> set[str]:
    found = (path for suffix in ("md", "ipynb") for path in folder.rglob(f"*.{suffix}"))
    return {path.relative_to(folder).with_suffix("").as_posix() for path in found}


def in_language(app, config):
    """The words around the pages that are ours."""
    words = staging.Words(config.language)
    config.project = config.html_title = words(staging.TITLE)
    config.author, config.copyright = words(staging.AUTHOR), words(staging.RIGHTS)
    if config.language != "en":
        config.html_baseurl += f"{config.language}/"


# --- formulas: MathML, which every browser draws without a script ---------------------------------


def inline_formula(self, node):
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block_formula(self, node):
    """Formulas joined by \\qquad wrap on a narrow screen."""
    text = node.astext()
    parts = [text] if r"\begin" in text else text.split(r"\qquad")
    drawn = "".join(f"<div>{convert(part.strip(), display='block')}</div>" for part in parts)
    self.body.append(f'<div class="math" dir="ltr" tabindex="0">{drawn}</div>')
    raise nodes.SkipNode


# --- the page around the text --------------------------------------------------------------------


def page_context(app, pagename, templatename, context, doctree):
    language, root = app.config.language, "../" * pagename.count("/")
    words = staging.Words(language)
    about = html.escape(description(doctree, app))
    lines = [f'<meta name="description" content="{about}">', '<link rel="icon" href="data:,">']
    buttons = context.setdefault("header_buttons", [])
    home = root if language == "en" else f"{root}../"
    if language != "en":
        there = staging.TRANSLATIONS in pages(staging.BUILD / language)
        address = f"{root if there else home}{staging.TRANSLATIONS}.html"
        link = f'<a href="{address}">{words(staging.HOW_TO_SIGN)}</a>'
        context["theme_announcement"] = f"{words(staging.UNSIGNED)} {link}"
    for other in staging.NAMES:
        if other != language and pagename in pages(staging.BUILD / other):
            path = ("" if other == "en" else f"{other}/") + f"{pagename}.html"
            lines.append(f'<link rel="alternate" hreflang="{other}" href="{SOURCE.site}{path}">')
            buttons.insert(0, {"type": "link", "url": home + path, "text": staging.NAMES[other]})
    if pagename in staging.LESSONS:
        path = f"{pagename}.ipynb"
        translated = path.replace("/", f"/{language}/")
        path = translated if (staging.ROOT / translated).is_file() else path
        buttons.insert(0, launch(path, words))
    context["metatags"] = context.get("metatags", "") + "\n".join(lines)


def launch(path: str, words: staging.Words) -> dict:
    """The menu that opens a notebook elsewhere, at the addresses of its badges."""
    where = {
        "Binder": ("logo_binder.svg", SOURCE.binder(path)),
        "Colab": ("logo_colab.png", SOURCE.colab(path)),
        "GitHub": ("", f"{SOURCE.address}/blob/{SOURCE.ref}/{path}"),
    }
    buttons = [
        {"type": "link", "text": name, "url": url, "icon": icon and f"_static/images/{icon}"}
        for name, (icon, url) in where.items()
    ]
    icon = "fas fa-rocket"
    return {"type": "group", "tooltip": words(staging.RUN), "icon": icon, "buttons": buttons}


def description(doctree, app) -> str:
    """The first paragraph, up to the sentence that passes 150 characters."""
    for node in doctree.findall(nodes.paragraph) if doctree else ():
        shown = node.deepcopy()
        for raw in list(shown.findall(nodes.raw)):  # tags of HTML
            raw.parent.remove(raw)
        text = " ".join(shown.astext().split())
        if len(text) > 40:
            return re.match(r".{0,150}.*?(?:[.!?؟](?=\s|$)|$)", text)[0][:300]
    return app.config.html_title


def setup(app):
    app.add_message_catalog("booktheme", str(staging.BUILD / "locale"))
    app.connect("config-inited", in_language, priority=100)
    app.add_transform(Untranslated)
    app.add_post_transform(Links)
    app.add_html_math_renderer("mathml", (inline_formula, None), (block_formula, None))
    app.connect("html-page-context", page_context, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
