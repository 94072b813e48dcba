import { Dialog } from '@/components/ui/dialog';

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const COMMAND = MAC ? '⌘' : 'Ctrl';

const SHORTCUTS: { does: string; keys: string[] }[] = [
  { does: 'Search chats and actions', keys: [COMMAND, 'K'] },
  { does: 'New chat', keys: [COMMAND, 'Shift', 'O'] },
  { does: 'Go to the message field', keys: ['/'] },
  { does: 'Put in a saved prompt, at the start of an empty message', keys: ['/'] },
  { does: 'Send the message', keys: ['Enter'] },
  { does: 'Start a new line in it', keys: ['Shift', 'Enter'] },
  { does: 'Stop the answer, from the message field', keys: ['Esc'] },
  { does: 'Show these shortcuts', keys: ['?'] },
];

interface ShortcutsDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function ShortcutsDialog({ open, onOpenChange }: ShortcutsDialogProps) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Keyboard shortcuts">
      <dl className="flex flex-col gap-2.5 text-sm">
        {SHORTCUTS.map(({ does, keys }) => (
          <div key={does} className="flex items-center justify-between gap-4">
            <dt>{does}</dt>
            <dd className="flex shrink-0 gap-1">
              {keys.map((key) => (
                <kbd key={key} className="rounded-md border bg-muted px-1.5 py-0.5 text-xs">
                  {key}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
