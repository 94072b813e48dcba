import { useQuery } from '@tanstack/react-query';
import { FileText, X } from 'lucide-react';
import { useState } from 'react';
import type { Attachment } from '@/api/generated';
import { getAttachmentOptions } from '@/api/generated/@tanstack/react-query.gen';
import { sentenceOf } from '@/api/problem';
import { IconButton } from '@/components/ui/button';
import { CopyButton } from '@/components/ui/copy-button';
import { Dialog } from '@/components/ui/dialog';
import { Notice } from '@/components/ui/notice';
import { formatBytes } from '@/lib/format';

/** A file as a chip; its text is there where it has not been sent yet. */
export interface Chip extends Attachment {
  content?: string;
}

interface AttachmentChipsProps {
  files: readonly Chip[];
  onRemove?: (id: string) => void;
}

/** Files that go with a question, to be read and, before it is sent, to be removed. */
export default function AttachmentChips({ files, onRemove }: AttachmentChipsProps) {
  const [opened, setOpened] = useState<Chip | null>(null);
  return (
    <>
      <ul aria-label="Attached files" className="flex flex-wrap gap-1.5">
        {files.map((file) => (
          <li
            key={file.id}
            className="flex h-8 min-w-0 max-w-full items-center rounded-lg border border-input bg-card text-xs"
          >
            <button
              type="button"
              title={`Open ${file.name}`}
              onClick={() => setOpened(file)}
              className="flex h-full min-w-0 items-center gap-1.5 rounded-lg px-2 hover:bg-muted"
            >
              <FileText aria-hidden className="size-3.5 shrink-0 text-primary" />
              <span className="max-w-48 truncate">{file.name}</span>
              <span className="shrink-0 text-muted-foreground">{formatBytes(file.size)}</span>
            </button>
            {onRemove && (
              <IconButton label={`Remove ${file.name}`} onClick={() => onRemove(file.id)}>
                <X aria-hidden />
              </IconButton>
            )}
          </li>
        ))}
      </ul>
      {opened && <Viewer file={opened} onClose={() => setOpened(null)} />}
    </>
  );
}

function Viewer({ file, onClose }: { file: Chip; onClose: () => void }) {
  const stored = useQuery({
    ...getAttachmentOptions({ path: { attachment_id: file.id } }),
    enabled: file.content === undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const text = file.content ?? stored.data?.content;
  return (
    <Dialog
      open
      onOpenChange={(open) => open || onClose()}
      title={file.name}
      description={formatBytes(file.size)}
      className="max-w-3xl"
    >
      {stored.error && <Notice tone="error">{sentenceOf(stored.error)}</Notice>}
      {text === undefined ? (
        !stored.error && <p className="text-muted-foreground text-sm">Opening the file…</p>
      ) : (
        <div className="relative">
          <pre
            // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
            tabIndex={0}
            className="max-h-[60dvh] overflow-auto rounded-xl border bg-code p-3.5 pr-12 text-sm leading-relaxed [overflow-wrap:normal]"
          >
            {text}
          </pre>
          <div className="absolute top-1.5 right-1.5 rounded-lg bg-code">
            <CopyButton label="Copy file" text={text} />
          </div>
        </div>
      )}
    </Dialog>
  );
}
