import { BookMarked, Pencil, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { SavedPrompt } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Button, IconButton } from '@/components/ui/button';
import { Notice } from '@/components/ui/notice';
import { Empty, Page } from '@/components/ui/page';
import { SearchField } from '@/components/ui/search-field';
import { Skeleton } from '@/components/ui/skeleton';
import { useDialog } from '@/lib/use-dialog';
import { useTitle } from '@/lib/use-title';
import { PromptDialog } from './prompt-dialog';
import { matching, useDeletePrompt, usePrompts } from './queries';

/** The library of one's own prompts. */
export function PromptsPage({ onUse }: { onUse: (content: string) => void }) {
  useTitle('Prompts');
  const { data, error } = usePrompts();
  const dialog = useDialog();
  const [changed, setChanged] = useState<SavedPrompt | null>(null);
  const [words, setWords] = useState('');
  const remove = useDeletePrompt();
  const edit = (prompt: SavedPrompt | null) => {
    setChanged(prompt);
    dialog.show();
  };
  const prompts = data?.items ?? [];
  const found = matching(prompts, words);
  return (
    <Page
      title="Prompts"
      lead="What you ask often, kept for yourself. Type / in an empty message to put one in."
      actions={
        <Button variant="primary" onClick={() => edit(null)}>
          <Plus aria-hidden />
          New prompt
        </Button>
      }
    >
      <div className="flex flex-col gap-4">
        {error && <Notice tone="error">{sentenceOf(error)}</Notice>}
        {!data && !error && <Skeleton />}
        {data && prompts.length === 0 && (
          <Empty>
            <BookMarked aria-hidden className="mx-auto mb-2 size-5" />
            <p>No prompt yet. Make one here, or keep a question of yours with the bookmark beside it.</p>
          </Empty>
        )}
        {prompts.length > 0 && (
          <>
            <SearchField
              label="Search prompts"
              placeholder="Words of a prompt"
              value={words}
              onChange={setWords}
            />
            {found.length === 0 && <Empty>None of your prompts has these words.</Empty>}
            {found.length > 0 && (
              <ul aria-label="Your prompts" className="divide-y overflow-hidden rounded-xl border bg-card">
                {found.map((prompt) => (
                  <PromptRow
                    key={prompt.id}
                    prompt={prompt}
                    onUse={() => onUse(prompt.content)}
                    onEdit={() => edit(prompt)}
                    onDelete={() => remove.mutate(prompt)}
                  />
                ))}
              </ul>
            )}
          </>
        )}
      </div>
      <PromptDialog
        key={dialog.turn}
        open={dialog.open}
        onOpenChange={dialog.onOpenChange}
        prompt={changed}
      />
    </Page>
  );
}

interface PromptRowProps {
  prompt: SavedPrompt;
  onUse: () => void;
  onEdit: () => void;
  onDelete: () => void;
}

function PromptRow({ prompt: { title, content }, onUse, onEdit, onDelete }: PromptRowProps) {
  return (
    <li className="flex flex-wrap items-start gap-x-3 gap-y-2 px-4 py-3">
      <div className="min-w-0 flex-1 basis-56">
        <p className="break-words font-medium text-sm">{title}</p>
        <p className="mt-0.5 line-clamp-3 whitespace-pre-line text-muted-foreground text-sm [overflow-wrap:anywhere]">
          {content.trim()}
        </p>
      </div>
      <div className="flex items-center gap-0.5">
        <Button size="sm" aria-label={`Use ${title}`} onClick={onUse}>
          Use
        </Button>
        <IconButton label={`Edit ${title}`} onClick={onEdit}>
          <Pencil aria-hidden />
        </IconButton>
        <IconButton label={`Delete ${title}`} onClick={onDelete}>
          <Trash2 aria-hidden />
        </IconButton>
      </div>
    </li>
  );
}
