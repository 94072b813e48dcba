/** What a screen reader is told of a growing answer: whole sentences, and of code only that it is there. */

export interface Announcement {
  say: string;
  /** How much of the text has been dealt with. */
  upTo: number;
}

const FENCE = /^\s*(?:```|~~~)(.*)$/;

/** The sentences completed after `from`. While the answer grows, the last unfinished line waits for its end. */
export function announce(text: string, from: number, finished: boolean): Announcement {
  const upTo = finished ? text.length : lastBoundary(text, from);
  if (upTo <= from) return { say: '', upTo: from };
  let inCode = opensCode(text.slice(0, from));
  const said: string[] = [];
  for (const line of text.slice(from, upTo).split('\n')) {
    const fence = FENCE.exec(line);
    if (fence) {
      if (!inCode) said.push(`Code block${fence[1]?.trim() ? `, ${fence[1].trim()}` : ''}.`);
      inCode = !inCode;
    } else if (!inCode && line.trim()) {
      said.push(plain(line));
    }
  }
  return { say: said.join(' '), upTo };
}

function lastBoundary(text: string, from: number): number {
  let boundary = from;
  for (const match of text.slice(from).matchAll(/[.!?](?=\s)|\n/g)) {
    const end = from + match.index + match[0].length;
    // Inside a line of code a full stop ends nothing.
    if (match[0] === '\n' || !opensCode(text.slice(0, end))) boundary = end;
  }
  return boundary;
}

function opensCode(text: string): boolean {
  return text.split('\n').filter((line) => FENCE.test(line)).length % 2 === 1;
}

function plain(line: string): string {
  return line
    .replace(/^\s*(?:#{1,6}|[-*+]|>|\d+\.)\s+/, '')
    .replaceAll(/[*_`]+/g, '')
    .trim();
}
