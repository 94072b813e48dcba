import { type FormEvent, useId } from 'react';
import { Button } from '@/components/ui/button';
import { Dialog } from '@/components/ui/dialog';
import { Field } from '@/components/ui/field';
import { Notice } from '@/components/ui/notice';
import { Progress } from '@/components/ui/progress';
import { MAX_LICENSE_CHARACTERS, MAX_REPO_CHARACTERS } from '@/config/app';
import { formatBytes, formatCount, humanize, percent } from '@/lib/format';
import { OUTCOMES, refusalSentences, type Sifted } from './intake';
import { type UploadState, useUpload } from './use-upload';

interface UploadDialogProps {
  sifted: Sifted;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** Says what will be sent and what is left out, sends it, and says what became of each file. */
export function UploadDialog({ sifted, open, onOpenChange }: UploadDialogProps) {
  const { wanted } = sifted;
  const { state, start, stop } = useUpload(wanted);
  const isBusy = state.phase === 'sending';
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    void start({
      repo: String(form.get('repo')).trim(),
      license: String(form.get('license')).trim() || null,
    });
  };
  const close = (next: boolean) => {
    if (!next) stop();
    onOpenChange(next);
  };
  return (
    <Dialog
      open={open}
      onOpenChange={close}
      title={state.phase === 'done' ? 'Files were taken in' : 'Upload source files'}
      description={describe(sifted)}
      sticky={isBusy}
      className="max-w-lg"
    >
      {state.phase === 'done' ? (
        <>
          <Outcome state={state} total={wanted.length} />
          <Button variant="primary" className="self-end" onClick={() => close(false)}>
            Done
          </Button>
        </>
      ) : (
        <form onSubmit={submit} className="flex flex-col gap-4">
          <LeftOut sifted={sifted} />
          {wanted.length > 0 && <Labels repo={sifted.repo} disabled={isBusy || state.sent > 0} />}
          {isBusy && <Sending sent={state.sent} total={wanted.length} />}
          {state.error && (
            <Notice tone="error">
              {state.error} {formatCount(state.sent)} of {formatCount(wanted.length)} files were taken in
              before that.
            </Notice>
          )}
          <div className="flex justify-end gap-2">
            <Button onClick={() => close(false)}>{isBusy ? 'Stop' : 'Cancel'}</Button>
            {wanted.length > 0 && (
              <Button type="submit" variant="primary" disabled={isBusy}>
                {labelOf(state, wanted.length)}
              </Button>
            )}
          </div>
        </form>
      )}
    </Dialog>
  );
}

function describe({ wanted }: Sifted): string {
  if (wanted.length === 0) return 'None of the files can be learned from.';
  const bytes = wanted.reduce((sum, { file }) => sum + file.size, 0);
  return `${formatCount(wanted.length)} ${wanted.length === 1 ? 'file' : 'files'}, ${formatBytes(bytes)}.`;
}

function labelOf({ phase }: UploadState, files: number): string {
  if (phase === 'sending') return 'Uploading…';
  if (phase === 'failed') return 'Go on';
  return `Upload ${formatCount(files)} ${files === 1 ? 'file' : 'files'}`;
}

function LeftOut({ sifted }: { sifted: Sifted }) {
  const sentences = refusalSentences(sifted.refused);
  if (sentences.length === 0) return null;
  return (
    <Notice tone={sifted.wanted.length === 0 ? 'error' : 'info'}>
      <ul className="flex flex-col gap-1 [overflow-wrap:anywhere]">
        {sentences.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </Notice>
  );
}

const LICENSES = ['Proprietary', 'MIT', 'Apache-2.0', 'BSD-3-Clause', 'GPL-3.0-only', 'MPL-2.0'];

function Labels({ repo, disabled }: { repo: string; disabled: boolean }) {
  const id = useId();
  return (
    <>
      <Field
        label="Repository"
        name="repo"
        defaultValue={repo}
        maxLength={MAX_REPO_CHARACTERS}
        pattern=".*\S.*"
        title="At least one character that is not a space"
        hint="Files of the same name and path are brought up to date; no other file is touched."
        autoComplete="off"
        readOnly={disabled}
        required
      />
      <Field
        label="License"
        name="license"
        list={id}
        maxLength={MAX_LICENSE_CHARACTERS}
        hint="In place of what license files in the folder say. May stay empty."
        autoComplete="off"
        readOnly={disabled}
      />
      <datalist id={id}>
        {LICENSES.map((license) => (
          <option key={license} value={license} />
        ))}
      </datalist>
    </>
  );
}

function Sending({ sent, total }: { sent: number; total: number }) {
  return (
    <div className="flex flex-col gap-1.5">
      <p className="text-muted-foreground text-sm tabular-nums">
        {formatCount(sent)} of {formatCount(total)} files
      </p>
      <Progress label="Files uploaded" value={percent(sent, total)} className="h-1.5" />
    </div>
  );
}

/** What became of the files, counted. */
function Outcome({ state, total }: { state: UploadState; total: number }) {
  const names = [...new Set([...Object.keys(OUTCOMES), ...Object.keys(state.counts)])];
  const met = names.filter((name) => (state.counts[name] ?? 0) > 0);
  return (
    <div role="status" className="flex flex-col gap-3">
      <ul className="flex flex-col gap-1 text-sm tabular-nums">
        {met.map((name) => (
          <li key={name} className="flex justify-between gap-4 border-b pb-1 last:border-b-0">
            <span>{OUTCOMES[name] ?? humanize(name)}</span>
            <span className="font-medium">{formatCount(state.counts[name] ?? 0)}</span>
          </li>
        ))}
      </ul>
      <p className="text-muted-foreground text-sm">
        {state.sent < total && `Stopped: ${formatCount(total - state.sent)} files were not sent. `}
        The next weekly run, or “make finetune”, learns from what is new or changed.
      </p>
    </div>
  );
}
