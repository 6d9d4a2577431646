"""Sphinx's settings for the web pages. `python -m tools site` stages their sources and builds."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from tools import publish, staging  # noqa: E402

source = publish.written_down()
project = html_title = staging.TITLE
author, project_copyright = staging.AUTHOR, staging.RIGHTS
html_baseurl = source.site

extensions = ["myst_nb", "hooks"]
nb_execution_mode = "off"
nb_merge_streams = True
nb_mime_priority_overrides = [("gettext", "image/png", 1)]  # so that alt texts are translated
myst_enable_extensions = ["dollarmath", "amsmath", "linkify"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]

locale_dirs = [str(HERE.parent / "build" / "site" / "locale")]
gettext_compact = gettext_location = gettext_uuid = False
gettext_auto_build = False

html_theme = "sphinx_book_theme"
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "repository_url": source.address,
    "use_repository_button": True,
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "navbar_persistent": [],
}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_context = {"default_mode": "auto"}
html_copy_source = html_use_index = False
html_math_renderer = "mathml"
translation_progress_classes = "untranslated"
