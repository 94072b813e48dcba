import type { Message } from '@/api/generated';
import { formatCount, formatRate, formatSeconds } from '@/lib/format';

/** Which version answered, and how fast. */
export function AnswerFigures({ message }: { message: Message }) {
  const figures = figuresOf(message);
  if (figures.length === 0) return null;
  return (
    <ul
      data-testid="figures"
      aria-label="About this answer"
      className="flex flex-wrap items-center gap-x-3 gap-y-0.5 text-muted-foreground text-xs tabular-nums"
    >
      {figures.map(({ words, hint }) => (
        <li key={hint} title={hint}>
          {words}
        </li>
      ))}
    </ul>
  );
}

interface Figure {
  words: string;
  hint: string;
}

function figuresOf(message: Message): Figure[] {
  const { model, completion_tokens: tokens, time_to_first_token_s: first, duration_s: total } = message;
  const rate = message.tokens_per_second;
  const figures = [
    { words: model, hint: 'The model version that wrote this answer' },
    { words: tokens === null ? null : `${formatCount(tokens)} tokens`, hint: tokensHint(message) },
    {
      words: first === null ? null : `first token ${formatSeconds(first)}`,
      hint: 'From sending to the first word',
    },
    { words: total === null ? null : `total ${formatSeconds(total)}`, hint: 'From sending to the end' },
    { words: rate === null ? null : formatRate(rate), hint: 'Tokens written per second' },
  ];
  return figures.filter((figure): figure is Figure => figure.words !== null);
}

function tokensHint({ prompt_tokens, cached_tokens }: Message): string {
  if (prompt_tokens === null) return 'Length of the answer in tokens';
  const cached = cached_tokens ? `, ${formatCount(cached_tokens)} of them from the cache` : '';
  return `Length of the answer in tokens. The prompt had ${formatCount(prompt_tokens)}${cached}.`;
}
