import pytest

from assistant.engine.gbnf_check import check_gbnf
from assistant.engine.types import InvalidGrammarError

FAULTY = {
    'root ::= "a"{2,1}': "repetition",
    'root ::= "a"{0,2001}': "repetition",
    "root ::= *": "nothing before",
    'root ::= ""*': "nothing before",
    "root ::= word": "'word'",
    'start ::= "a"': "'root'",
    'root ::= ("a"': "never closed",
    'root ::= "a")': "never opened",
    "root ::= " + "(" * 100 + '"a"' + ")" * 100: "parentheses",
    'root ::= root "a" | "b"': "left recursion",
    'root ::= a\na ::= "x"? b\nb ::= a': "left recursion",
    'root ::= "a': "cannot be read",
    "nothing": "begins with",
    "root ::= " + "x" * 70_000: "64 KiB",
    "\n".join(
        ["root ::= r0 | r0", *(f"r{n} ::= r{n + 1} | r{n + 1}" for n in range(40)), 'r40 ::= "a"']
    ): "ways to go on",
    "root ::= " + "x{0,2000} " * 3 + '\nx ::= "a"?': "ways to go on",
    'root ::= "b" ' + "x " * 20 + '\nx ::= "a"?': "optional",
    "root ::= " + "[abcdefghij]{2000} " * 10: "elements",
    'root ::= "a" !<[7]>': "not both",
    "root ::= [a-z] <[7]>": "not both",
    "root ::= . <[7]>": "not both",
    'root ::= "\0"': "NUL",
}


@pytest.mark.parametrize(("text", "names"), FAULTY.items(), ids=[text[:30] for text in FAULTY])
def test_grammars_that_llama_cpp_would_choke_on_are_refused(text: str, names: str) -> None:
    with pytest.raises(InvalidGrammarError, match=names):
        check_gbnf(text)


def test_usual_grammars_pass() -> None:
    check_gbnf('# a comment\nroot ::= item+ # another\nitem ::= "- " [^\\n]+ "\\n" | ("a" "b"?){1,3} .\n')
    check_gbnf("root ::= <[2]> !<[3]>* <eos>")
    check_gbnf('root ::= expr\nexpr ::= term ("+" term)*\nterm ::= [0-9]{1,} | "(" expr ")"')
