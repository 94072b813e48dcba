/** What the command key is called on this machine. */
export const COMMAND = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl';

/** Keys to be pressed together. */
export function Keys({ keys }: { keys: readonly string[] }) {
  return (
    <span className="flex shrink-0 gap-1">
      {keys.map((key) => (
        <kbd key={key} className="rounded-md border bg-muted px-1.5 py-0.5 text-muted-foreground text-xs">
          {key}
        </kbd>
      ))}
    </span>
  );
}
