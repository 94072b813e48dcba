import { type ReactNode, useState } from 'react';
import type { SearchHit } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Dialog } from '@/components/ui/dialog';
import { Keys } from '@/components/ui/keys';
import { Notice } from '@/components/ui/notice';
import { Picker } from '@/components/ui/picker';
import { ShowMore } from '@/components/ui/show-more';
import { Hit } from './hit';
import { useSearch } from './queries';

export interface Action {
  name: string;
  icon: ReactNode;
  /** What does the same on any page. */
  keys?: readonly string[];
  run: () => void;
}

interface SearchDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  actions: Action[];
  onHit: (hit: SearchHit) => void;
}

/** Finds messages, and what one can do. Give it a new key each time, to begin afresh. */
export function SearchDialog({ open, onOpenChange, actions, onHit }: SearchDialogProps) {
  const [words, setWords] = useState('');
  const searching = words.trim() !== '';
  const search = useSearch(words);
  const hits = searching ? (search.data?.pages.flatMap((page) => page.items) ?? []) : [];
  const fitting = actions.filter(({ name }) => name.toLowerCase().includes(words.trim().toLowerCase()));
  const chosen = (run: () => void) => () => {
    onOpenChange(false);
    run();
  };
  const options = [
    ...fitting.map(({ name, icon, keys, run }) => ({
      key: name,
      choose: chosen(run),
      content: (
        <span className="flex items-center gap-2.5 [&_svg]:size-4 [&_svg]:shrink-0">
          {icon}
          <span className="flex-1">{name}</span>
          {keys && <Keys keys={keys} />}
        </span>
      ),
    })),
    ...hits.map((hit) => ({
      key: hit.message_id,
      choose: chosen(() => onHit(hit)),
      content: <Hit hit={hit} />,
    })),
  ];

  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Search chats and actions" className="max-w-xl">
      <Picker
        label="Search chats and actions"
        placeholder="Words, names, “exact phrases”…"
        words={words}
        onWords={setWords}
        listLabel="What was found"
        options={options}
        height="h-[44dvh]"
      />
      {search.isError && searching && <Notice tone="error">{sentenceOf(search.error)}</Notice>}
      <p role="status" className="text-muted-foreground text-xs empty:hidden">
        {stateOf(searching, search, hits.length)}
      </p>
      {searching && <ShowMore list={search} />}
    </Dialog>
  );
}

function stateOf(searching: boolean, search: ReturnType<typeof useSearch>, found: number): string | null {
  if (!searching) return 'Type to search in all of your conversations.';
  if (search.isError) return null;
  if (search.isPending || search.isPlaceholderData) return 'Searching…';
  return found === 0 ? 'No message has these words. Try fewer of them, or only the beginning of one.' : null;
}
