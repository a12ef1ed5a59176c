#!/usr/bin/env python3
"""Replays a fuzz target's corpus (NAME REPLAY_PROGRAM) and asks that each error message of its reader was seen.

The reader's files are those after `// Covers: ` in NAME.cpp, less those after `// Writers: `. A message is a call of one of CALLS that
holds text; unreached.txt lists those that no file can cause, each with its reason."""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CALLS = re.compile(r"\b(Error|error|fail|corrupt|invalid|unsupported|expect|mistake|push_back)\(")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
LEAST = 3  # characters of text that make a message


def files_after(word: str, target: str) -> set[Path]:
    match = re.search(rf"^// {word}: (.+)$", (ROOT / f"tests/fuzz/{target}.cpp").read_text(), re.MULTILINE)
    return {path for pattern in (match[1].split() if match else []) for path in ROOT.glob(pattern)}


def split(text: str, separator: str) -> list[str]:
    """At the separators that stand in no bracket and no text."""
    parts, depth, begin, at = [], 0, 0, 0
    while at < len(text):
        literal = LITERAL.match(text, at)
        if literal:
            at = literal.end()
            continue
        if text[at] == "'":
            at += 4 if text[at + 1] == "\\" else 3
            continue
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if depth < 0:
            break
        if depth == 0 and text[at] == separator:
            parts.append(text[begin:at])
            begin = at + 1
        at += 1
    return [part.strip() for part in [*parts, text[begin:at]]]


def pattern_of(argument: str) -> str:
    """What an argument of a message looks like once printed."""
    if argument.startswith("concat("):
        return "".join(pattern_of(part) for part in split(argument[len("concat("):], ","))
    if len(parts := split(argument, "+")) > 1:
        return "".join(pattern_of(part) for part in parts)
    texts = LITERAL.findall(argument)
    if texts and not LITERAL.sub("", argument).strip():
        return re.escape("".join(texts).encode().decode("unicode_escape"))
    return ".*"


def messages(source: Path) -> list[tuple[str, str]]:
    """Where each message of a file stands, and what it looks like."""
    text = re.sub(r"(?m)//.*$", "", source.read_text())
    found = []
    for call in CALLS.finditer(text):
        arguments = split(text[call.end():], ",")
        if any(word in " ".join(arguments) for word in ("parts...", ".what()", "Parts&")):
            continue  # passes on what another call says
        skip = call[1] == "expect" or "ErrorKind" in arguments[0] or arguments[0].endswith("kind()")
        if call[1] == "push_back" and not arguments[0].startswith("concat("):
            continue
        pattern = "".join(pattern_of(argument) for argument in arguments[skip:])
        if len(re.sub(r"\.\*|\\", "", pattern)) >= LEAST:
            line = text.count("\n", 0, call.start()) + 1
            found.append((f"{source.relative_to(ROOT)}:{line}", pattern))
    return found


def excused(target: str) -> set[str]:
    """The messages of unreached.txt, each `file text`."""
    rows = [line.split("\t") for line in (ROOT / "tests/fuzz/unreached.txt").read_text().splitlines() if line and line[0] != "#"]
    return {f"{source} {text}" for name, source, text, _ in rows if name == target}


def main() -> None:
    target, program = sys.argv[1:]
    run = subprocess.run([program, ROOT / f"tests/fuzz/corpus/{target}"], stdout=subprocess.PIPE, text=True, errors="replace", check=False)
    print(run.stdout)
    if run.returncode:
        sys.exit(f"the replay ended with {run.returncode}; the last file above is what ended it")
    excuses, used, wrong = excused(target), set(), []
    for source in sorted(files_after("Covers", target) - files_after("Writers", target)):
        for where, pattern in messages(source):
            key = f"{source.relative_to(ROOT)} {pattern.replace('.*', '…').replace(chr(92), '')}"
            reached = re.search(pattern, run.stdout) is not None
            used.add(key)
            if reached and key in excuses:
                wrong.append(f"{where}: unreached.txt excuses it, but it was reached: {key}")
            if not reached and key not in excuses:
                wrong.append(f"{where}: no file of the corpus causes: {key}")
    wrong += [f"unreached.txt: the reader has no such message: {key}" for key in sorted(excuses - used)]
    print("\n".join(wrong))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
