import { type ReactNode, useState } from 'react';
import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Dialog } from '@/components/ui/dialog';
import { Notice } from '@/components/ui/notice';
import { cn } from '@/lib/cn';
import { useOptions } from '@/lib/use-options';
import { matching, usePrompts } from './queries';

interface PromptPickerProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onChosen: (content: string) => void;
  onNew: () => void;
  /** A link to the page of all prompts. */
  manage: ReactNode;
}

/** Chooses a saved prompt by keyboard or pointer. Give it a new key each time, to begin afresh. */
export function PromptPicker({ open, onOpenChange, onChosen, onNew, manage }: PromptPickerProps) {
  const [words, setWords] = useState('');
  const { data, error, isPending } = usePrompts(open);
  const found = matching(data?.items ?? [], words);
  const run = (index: number) => {
    const prompt = found[index];
    if (!prompt) return;
    onOpenChange(false);
    onChosen(prompt.content);
  };
  const options = useOptions(found.length, run);
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Saved prompts" className="max-w-xl">
      <input
        role="combobox"
        aria-label="Search your prompts"
        aria-expanded
        aria-controls={options.list}
        aria-activedescendant={options.activeId}
        aria-autocomplete="list"
        value={words}
        onChange={(event) => {
          setWords(event.target.value);
          options.setActive(0);
        }}
        onKeyDown={options.onKeyDown}
        maxLength={200}
        autoComplete="off"
        spellCheck={false}
        placeholder="Words of its name or text…"
        className="h-9 w-full rounded-lg border border-input bg-background px-3 pointer-coarse:text-[1rem] text-sm"
      />
      <div
        id={options.list}
        role="listbox"
        aria-label="Your prompts"
        className="-mx-2 h-[36dvh] overflow-y-auto px-2"
      >
        {found.map(({ id, title, content }, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the text field, which keeps the focus
          <div
            key={id}
            id={options.idOf(index)}
            role="option"
            tabIndex={-1}
            aria-selected={index === options.active}
            onMouseMove={() => options.setActive(index)}
            onClick={() => run(index)}
            className={cn(
              'cursor-pointer rounded-lg px-2.5 py-2',
              index === options.active && 'bg-secondary',
            )}
          >
            <p className="truncate font-medium text-sm">{title}</p>
            <p className="line-clamp-2 text-muted-foreground text-xs [overflow-wrap:anywhere]">{content}</p>
          </div>
        ))}
      </div>
      {error && <Notice tone="error">{sentenceOf(error)}</Notice>}
      <p role="status" className="text-muted-foreground text-xs empty:hidden">
        {isPending && 'Loading…'}
        {data?.items.length === 0 &&
          'You have no prompts yet. Keep what you ask often, and it is two keys away.'}
        {data && data.items.length > 0 && found.length === 0 && 'None of your prompts has these words.'}
      </p>
      <div className="flex flex-wrap items-center justify-between gap-2">
        {manage}
        <Button onClick={onNew}>New prompt</Button>
      </div>
    </Dialog>
  );
}
