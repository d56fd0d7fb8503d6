"""Read the page of a report as a browser would, and note what is wrong with it."""

import re
from html.parser import HTMLParser

from neurosim.report import write_report

EMPTY = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Read a page and note what is wrong with it, what it shows and what it points to."""

    def __init__(self, content):
        super().__init__()
        self.open, self.tags, self.images, self.links, self.ids, self.wrong, self.seen = [], [], [], [], [], [], []
        self.feed(content)
        self.close()
        self.wrong += [f"<{tag}> stays open" for tag in self.open]
        self.text = re.sub(r"\s+", " ", " ".join(self.seen))
        self.wrong += [f"#{link[1:]} is nowhere" for link in self.links if link.startswith("#") and link[1:] not in self.ids]
        self.wrong += [] if len(set(self.ids)) == len(self.ids) else ["an id stands twice"]

    def handle_starttag(self, tag, given):
        given = dict(given)
        self.tags.append(tag)
        if tag not in EMPTY:
            self.open.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        if tag in ("script", "iframe", "object", "embed", "link", "form", "base", "svg"):
            self.wrong.append(f"<{tag}>")
        self.wrong += [
            f"{name} of <{tag}>" for name in given if name.startswith("on") or name in ("style", "srcset", "srcdoc", "background")
        ]
        if tag == "img":
            self.images.append(given)
            if not given["src"].startswith("data:image/png;base64,") or not given.get("alt"):
                self.wrong.append(f"img from {given['src'][:40]}")
        elif "src" in given:
            self.wrong.append(f"src of <{tag}>")
        if "href" in given:
            self.links.append(given["href"])
            if tag != "a" or not given["href"].startswith(("#", "https://doi.org/10.")):
                self.wrong.append(f"link to {given['href']}")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.seen.append(data)
        elif "url(" in data or "@import" in data:
            self.wrong.append("a style that fetches")


def report(folder):
    content = write_report(folder).read_text()
    read = Page(content)
    assert read.wrong == []
    assert read.tags.count("h1") == read.tags.count("main") == read.tags.count("title") == read.tags.count("nav") == 1
    assert content.startswith('<!DOCTYPE html>\n<html lang="en-GB">') and 'name="viewport"' in content
    return read


def notice(folder):
    return [text for text in re.findall(r'<p class="notice"><strong>(.*?)</strong>', (folder / "report.html").read_text())]


def alts(read):
    return [image["alt"] for image in read.images]
