import { Monitor, Moon, Sun } from 'lucide-react';
import { cn } from '@/lib/cn';
import { setTheme, type Theme, useTheme } from './theme';

const CHOICES: { theme: Theme; label: string; icon: typeof Sun }[] = [
  { theme: 'light', label: 'Light', icon: Sun },
  { theme: 'system', label: 'As the system', icon: Monitor },
  { theme: 'dark', label: 'Dark', icon: Moon },
];

/** Light, dark, or as the system has it; kept on this device. */
export function ThemeSwitch() {
  const chosen = useTheme();
  return (
    <fieldset className="flex rounded-lg bg-sidebar-active p-0.5">
      <legend className="sr-only">Colour scheme</legend>
      {CHOICES.map(({ theme, label, icon: Icon }) => (
        <button
          key={theme}
          type="button"
          aria-label={label}
          title={label}
          aria-pressed={chosen === theme}
          onClick={() => setTheme(theme)}
          className={cn(
            'flex size-7 items-center justify-center rounded-md text-muted-foreground hover:text-foreground',
            chosen === theme && 'bg-card text-foreground shadow-sm dark:bg-input',
          )}
        >
          <Icon aria-hidden className="size-4" />
        </button>
      ))}
    </fieldset>
  );
}
