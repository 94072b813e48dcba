export interface Piece {
  text: string;
  found: boolean;
  /** Where it begins, in code points. */
  at: number;
}

/** A text cut at the ranges that were found: [start, end) in code points, ascending. Nothing is lost or doubled. */
export function pieces(text: string, ranges: [number, number][]): Piece[] {
  const points = Array.from(text);
  const cut: Piece[] = [];
  const add = (from: number, to: number, found: boolean) => {
    if (to > from) cut.push({ text: points.slice(from, to).join(''), found, at: from });
  };
  let done = 0;
  for (const [start, end] of ranges) {
    const from = Math.max(done, start);
    add(done, from, false);
    add(from, Math.min(end, points.length), true);
    done = Math.max(from, Math.min(end, points.length));
  }
  add(done, points.length, false);
  return cut;
}
