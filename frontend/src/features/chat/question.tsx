import { BookmarkPlus, PencilLine } from 'lucide-react';
import { lazy, memo, Suspense } from 'react';
import type { Message } from '@/api/generated';
import { IconButton } from '@/components/ui/button';
import { usePromptLibrary } from '@/lib/prompt-library';
import type { Files } from './use-send';

const AttachmentChips = lazy(() => import('./attachment-chips'));
const QuestionEditor = lazy(() => import('./question-editor'));

/** How a question is asked in another way. */
export interface Editing {
  /** The question that is open for editing. */
  id: string | null;
  /** Why nothing can be sent now, if so. */
  blocked: string | null;
  open: (id: string) => void;
  close: () => void;
  send: (question: Message, content: string, files: Files) => void;
}

interface QuestionProps {
  message: Message;
  /** Absent unless it can be edited; `id` says whether it is. */
  editing?: Editing;
}

const ON_HOVER =
  'shrink-0 pointer-fine:opacity-0 transition-opacity focus-visible:opacity-100 group-hover:opacity-100';

/** What was asked: shown as typed, never as Markdown. */
export const Question = memo(function Question({ message, editing }: QuestionProps) {
  const library = usePromptLibrary();
  const shown = (
    <article aria-label="You" className="group flex items-end justify-end gap-1">
      <IconButton label="Save as prompt" className={ON_HOVER} onClick={() => library.keep(message.content)}>
        <BookmarkPlus aria-hidden />
      </IconButton>
      {editing && (
        <IconButton label="Edit question" className={ON_HOVER} onClick={() => editing.open(message.id)}>
          <PencilLine aria-hidden />
        </IconButton>
      )}
      <div className="flex min-w-0 max-w-[min(36rem,88%)] flex-col items-end gap-1.5">
        {message.attachments.length > 0 && (
          <Suspense fallback={<div className="h-8" />}>
            <AttachmentChips files={message.attachments} />
          </Suspense>
        )}
        <div className="max-w-full whitespace-pre-wrap rounded-2xl rounded-br-md bg-secondary px-4 py-2.5 [overflow-wrap:anywhere]">
          {message.content}
        </div>
      </div>
    </article>
  );
  if (editing?.id !== message.id) return shown;
  return (
    <Suspense fallback={shown}>
      <QuestionEditor
        message={message}
        blocked={editing.blocked}
        onSend={editing.send}
        onCancel={editing.close}
      />
    </Suspense>
  );
});
