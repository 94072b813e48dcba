import { pieces } from './pieces';

/** Plain text in which what was found stands out. */
export function Highlighted({ text, ranges }: { text: string; ranges: [number, number][] }) {
  return pieces(text, ranges).map(({ text: part, found, at }) =>
    found ? (
      <mark key={at} className="rounded-sm bg-accent text-accent-foreground">
        {part}
      </mark>
    ) : (
      <span key={at}>{part}</span>
    ),
  );
}
