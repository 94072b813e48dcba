import { Download, Trash2, Upload } from 'lucide-react';
import { type ReactNode, useRef } from 'react';
import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { FormDialog } from '@/components/ui/form-dialog';
import { Notice } from '@/components/ui/notice';
import { Card } from '@/components/ui/page';
import { Progress } from '@/components/ui/progress';
import { formatCount, percent } from '@/lib/format';
import { useDialog } from '@/lib/use-dialog';
import { useDeleteConversations, useSaveData } from './queries';
import { type ImportState, useImport } from './use-import';

/** Taking one's data out and in again, and deleting conversations. */
export function OwnData() {
  return (
    <Card>
      <Exports />
      <Import />
      <Deletion />
    </Card>
  );
}

interface RowProps {
  title: string;
  description: ReactNode;
  children: ReactNode;
}

function Row({ title, description, children }: RowProps) {
  return (
    <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-3">
      <div className="min-w-0 max-w-[30rem] flex-1 basis-64">
        <p className="font-medium text-sm">{title}</p>
        <p className="mt-1 text-muted-foreground text-sm">{description}</p>
      </div>
      <div className="flex flex-wrap gap-2">{children}</div>
    </div>
  );
}

function Exports() {
  const save = useSaveData();
  const pending = save.isPending ? save.variables : null;
  return (
    <Row
      title="Take your data with you"
      description="Your conversations as a file that can be imported here again, or everything that is kept about you, API calls and prompts included."
    >
      <Button disabled={pending !== null} onClick={() => save.mutate('conversations')}>
        <Download aria-hidden />
        {pending === 'conversations' ? 'Preparing…' : 'Export conversations'}
      </Button>
      <Button disabled={pending !== null} onClick={() => save.mutate('everything')}>
        <Download aria-hidden />
        {pending === 'everything' ? 'Preparing…' : 'Export everything'}
      </Button>
    </Row>
  );
}

function Import() {
  const { state, start, goOn } = useImport();
  const input = useRef<HTMLInputElement>(null);
  const running = state.phase === 'running';
  return (
    <>
      <Row
        title="Import conversations"
        description="From a file that was exported here. They are added as new conversations: the same file twice makes each of them twice."
      >
        <input
          ref={input}
          type="file"
          accept="application/json,.json"
          aria-label="File to import"
          className="sr-only"
          tabIndex={-1}
          onChange={({ target }) => {
            const file = target.files?.[0];
            // The same file can be chosen again.
            target.value = '';
            if (file) void start(file);
          }}
        />
        <Button disabled={running} onClick={() => input.current?.click()}>
          <Upload aria-hidden />
          {running ? 'Importing…' : 'Choose a file…'}
        </Button>
      </Row>
      {running && <Progress label="Imported" value={percent(state.dealt, state.total)} />}
      {state.phase === 'failed' && (
        <Notice
          tone="error"
          actions={
            state.left.length > 0 && (
              <Button size="sm" onClick={() => void goOn()}>
                Go on
              </Button>
            )
          }
        >
          {state.error}
          {state.dealt > 0 && ` Until then: ${resultOf(state)}`}
        </Notice>
      )}
      {state.phase === 'done' && (
        <Notice tone="info">
          {state.total === 0 ? 'The file has no conversation in it.' : resultOf(state)}
        </Notice>
      )}
      {!running && state.refused.length > 0 && (
        <ul aria-label="Not imported" className="flex max-h-48 flex-col gap-1 overflow-y-auto text-sm">
          {state.refused.map(({ title, reason }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the list only grows, and titles repeat
            <li key={index} className="[overflow-wrap:anywhere]">
              <span className="font-medium">{title}</span>{' '}
              <span className="text-muted-foreground">{reason}</span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** `12 conversations, 240 messages were imported. 1 was refused:` */
function resultOf({ conversations, messages, refused }: ImportState): string {
  const what = `${counted(conversations, 'conversation')}, ${counted(messages, 'message')} imported.`;
  return refused.length > 0 ? `${what} ${formatCount(refused.length)} refused, see below.` : what;
}

function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function Deletion() {
  return (
    <Row
      title="Delete conversations"
      description="For good, with their ratings and corrections. The next training run no longer sees them. Export them first if you may want them again."
    >
      <DeleteAll archived action="Delete archived…" title="Delete all archived conversations?" />
      <DeleteAll archived={false} action="Delete all…" title="Delete all of your conversations?" />
    </Row>
  );
}

function DeleteAll({ archived, action, title }: { archived: boolean; action: string; title: string }) {
  const dialog = useDialog();
  const remove = useDeleteConversations(() => dialog.onOpenChange(false));
  return (
    <>
      <Button
        onClick={() => {
          remove.reset();
          dialog.show();
        }}
      >
        <Trash2 aria-hidden />
        {action}
      </Button>
      <FormDialog
        key={dialog.turn}
        open={dialog.open}
        onOpenChange={dialog.onOpenChange}
        title={title}
        description="This cannot be undone. Answers that are being written are stopped."
        phrase="delete"
        action="Delete for good"
        danger
        pending={remove.isPending}
        error={remove.isError ? sentenceOf(remove.error) : null}
        onSubmit={() => remove.mutate(archived)}
      />
    </>
  );
}
