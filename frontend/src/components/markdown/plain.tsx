import { useMemo } from 'react';

const LINES = 200;

/** A text as it was written. Of a long one, only what is in view is laid out. */
export function Plain({ text }: { text: string }) {
  const pieces = useMemo(() => piecesOf(text), [text]);
  return (
    <div className="whitespace-pre-wrap [overflow-wrap:anywhere]">
      {pieces.map((piece, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: pieces only ever grow at the end
        <div key={index} className={pieces.length > 1 ? 'message-offscreen' : undefined}>
          {piece}
        </div>
      ))}
    </div>
  );
}

function piecesOf(text: string): string[] {
  const lines = text.split('\n');
  const pieces: string[] = [];
  for (let start = 0; start < lines.length; start += LINES)
    pieces.push(lines.slice(start, start + LINES).join('\n'));
  return pieces;
}
