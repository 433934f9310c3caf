"""Completion scripts: the tree of the commands, written for each shell. They start no process when Tab is pressed."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from mysingle.cli._tree import Node, Option

__all__ = ["SCRIPTS"]


def _bash(tree: Node) -> str:
    function = _function(tree)
    return f"""\
{function}() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local place={_quoted(tree.place)} word words="" flags=""
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$place $word" in
            {_places(tree)}) place="$place $word" ;;
        esac
    done
    if [[ $current == = ]]; then current=""
    elif [[ $previous == = ]]; then previous="${{COMP_WORDS[COMP_CWORD-2]}}"
    fi
    COMPREPLY=()
    case "$place $previous" in
{_lines(_bash_values(tree))}    esac
    case "$place" in
{_lines(_bash_candidates(tree))}    esac
    [[ $current == -* ]] && words=$flags
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F {function} {tree.place}
"""


def _bash_candidates(tree: Node) -> Iterator[str]:
    for node in tree.walk():
        words, flags = _quoted(" ".join(child.name for child in node.children)), _quoted(" ".join(_flags(node)))
        yield f"        {_quoted(node.place)}) words={words} flags={flags} ;;"


def _bash_values(tree: Node) -> Iterator[str]:
    for node, option in _valued(tree):
        cases = "|".join(_quoted(f"{node.place} {flag}") for flag in option.flags)
        words = _quoted(" ".join(option.choices))
        yield f'        {cases}) COMPREPLY=($(compgen -W {words} -- "$current")); return ;;'


def _zsh(tree: Node) -> str:
    function = _function(tree)
    return f"""\
{function}() {{
    local place={_quoted(tree.place)} word
    local -a candidates flags
    for word in "${{(@)words[2,CURRENT-1]}}"; do
        case "$place $word" in
            {_places(tree)}) place="$place $word" ;;
        esac
    done
    local previous=$words[CURRENT-1]
    [[ $words[CURRENT] == --*=* ]] && previous=${{words[CURRENT]%%=*}} && compset -P '*='
    case "$place $previous" in
{_lines(_zsh_values(tree))}    esac
    case "$place" in
{_lines(_zsh_candidates(tree))}    esac
    if [[ $words[CURRENT] == -* ]]; then
        _describe -o option flags
    else
        _describe command candidates || _files
    fi
}}
compdef {function} {tree.place}
"""


def _zsh_candidates(tree: Node) -> Iterator[str]:
    for node in tree.walk():
        words, flags = _described(node, [child.name for child in node.children]), _described(node, _flags(node))
        yield f"        {_quoted(node.place)}) candidates=({words}) flags=({flags}) ;;"


def _zsh_values(tree: Node) -> Iterator[str]:
    for node, option in _valued(tree):
        cases = "|".join(_quoted(f"{node.place} {flag}") for flag in option.flags)
        act = f"compadd -- {' '.join(map(_quoted, option.choices))}" if option.choices else "_files"
        yield f"        {cases}) {act}; return ;;"


def _described(node: Node, words: Sequence[str]) -> str:
    helps = {child.name: child.help for child in node.children}
    helps |= {flag: option.help for option in node.options for flag in option.flags}
    return " ".join(_quoted(f"{word}:{helps.get(word, '')}") for word in words)


def _fish(tree: Node) -> str:
    function = f"_{_function(tree)}"
    return f"""\
function {function}_place
    set -l place {_quoted(tree.place)}
    for word in (commandline -opc)[2..-1]
        switch "$place $word"
            case {" ".join(_quoted(node.place) for node in tree.walk() if node is not tree)}
                set place "$place $word"
        end
    end
    echo $place
end
function {function}_at
    test ({function}_place) = $argv[1]
end
{_lines(_fish_rules(tree, function))}"""


def _fish_rules(tree: Node, function: str) -> Iterator[str]:
    for node in tree.walk():
        place = f'{function}_at "{node.place}"'
        head = f"complete -c {tree.place} -n {_quoted(place)}"
        for child in node.children:
            yield f"{head} -f -a {_quoted(child.name)} -d {_fish_quoted(child.help)}"
        for option in node.options:
            yield f"{head} {_fish_option(option)}"


def _fish_option(option: Option) -> str:
    flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
    value = " -r" if option.takes_value else ""
    choices = f" -f -a {_quoted(' '.join(option.choices))}" if option.choices else ""
    return f"{flags} -d {_fish_quoted(option.help)}{value}{choices}"


def _function(tree: Node) -> str:
    return f"_{tree.place.replace('-', '_')}"


def _flags(node: Node) -> Sequence[str]:
    return tuple(flag for option in node.options for flag in option.flags)


def _valued(tree: Node) -> Iterator[tuple[Node, Option]]:
    return ((node, option) for node in tree.walk() for option in node.options if option.takes_value)


def _places(tree: Node) -> str:
    return "|".join(_quoted(node.place) for node in tree.walk() if node is not tree)


def _lines(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _quoted(text: str) -> str:
    return "'" + _plain(text).replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + _plain(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _plain(text: str) -> str:
    """Return a line of help as people see it; argparse writes a per cent sign twice."""
    return text.replace("%%", "%")


SCRIPTS: Mapping[str, Callable[[Node], str]] = {"bash": _bash, "fish": _fish, "zsh": _zsh}
"""Shell → what writes its script."""
