/**
 * What is formatted. Parsers of Markdown take far more than linear time for some texts, and every block of a very long one
 * is a part of the page: beyond these limits an answer is shown as it was written, which always works.
 */
const MOST_CHARACTERS = 150_000;
const MOST_LINES = 3000;
/** Outside of fenced code. */
const MOST_LOOSE_LINES = 1500;
const MOST_MARKS = 4000;
/** Characters before a line's text that indent, quote and list it. */
const DEEPEST = 100;

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const RULE = /^\s*([-*_=])\1*\s*$/;
const LEAD = /^[\s>*+\-\d.)]*/;
const MARKS = /[[\]<&*_`!|]/g;

/** Whether formatting a text could keep a reader waiting. */
export function isTooMuch(text: string): boolean {
  if (text.length > MOST_CHARACTERS) return true;
  const lines = text.split('\n');
  if (lines.length > MOST_LINES) return true;
  const loose = outsideOfFences(lines);
  if (loose.length > MOST_LOOSE_LINES || loose.some(isDeep)) return true;
  return loose.reduce((marks, line) => marks + (line.match(MARKS)?.length ?? 0), 0) > MOST_MARKS;
}

function outsideOfFences(lines: string[]): string[] {
  let fence: string | null = null;
  return lines.filter((line) => {
    const [, opened] = FENCE.exec(line) ?? [];
    if (fence === null && opened) {
      fence = opened;
      return false;
    }
    const inside = fence !== null;
    if (fence !== null && line.trim().startsWith(fence)) fence = null;
    return !inside;
  });
}

function isDeep(line: string): boolean {
  return !RULE.test(line) && (LEAD.exec(line)?.[0].length ?? 0) > DEEPEST;
}
