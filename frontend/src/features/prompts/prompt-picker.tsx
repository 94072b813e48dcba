import { type ReactNode, useState } from 'react';
import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Dialog } from '@/components/ui/dialog';
import { Notice } from '@/components/ui/notice';
import { Picker } from '@/components/ui/picker';
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
  const options = found.map(({ id, title, content }) => ({
    key: id,
    choose: () => {
      onOpenChange(false);
      onChosen(content);
    },
    content: (
      <>
        <p className="truncate font-medium">{title}</p>
        <p className="line-clamp-2 text-muted-foreground text-xs [overflow-wrap:anywhere]">{content}</p>
      </>
    ),
  }));
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Saved prompts" className="max-w-xl">
      <Picker
        label="Search your prompts"
        placeholder="Words of its name or text…"
        words={words}
        onWords={setWords}
        listLabel="Your prompts"
        options={options}
        height="h-[36dvh]"
      />
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
