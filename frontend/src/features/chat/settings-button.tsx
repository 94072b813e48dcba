import { SlidersHorizontal } from 'lucide-react';
import { lazy, Suspense } from 'react';
import type { ChatDefaults } from '@/api/generated';
import { Button } from '@/components/ui/button';
import { cn } from '@/lib/cn';
import { useDialog } from '@/lib/use-dialog';
import { ownSettings } from './chat-settings';
import type { Chosen } from './use-chat-settings';

const SettingsDialog = lazy(() =>
  import('./settings-dialog').then((module) => ({ default: module.SettingsDialog })),
);

interface SettingsButtonProps {
  chosen: Chosen;
  defaults: ChatDefaults | null;
}

/** Opens the settings of the conversation, and shows whether it has any of its own. */
export function SettingsButton({ chosen, defaults }: SettingsButtonProps) {
  const dialog = useDialog();
  const own = ownSettings(chosen.settings);
  const label = own ? `Settings of this chat: ${own}` : 'Settings of this chat';
  return (
    <>
      <Button
        variant="ghost"
        size="sm"
        aria-label={label}
        title={own ?? 'System prompt, temperature and length for this chat'}
        className={cn(own && 'text-primary')}
        onClick={dialog.show}
      >
        <SlidersHorizontal aria-hidden />
        <span className={cn('max-w-24 truncate sm:max-w-40', !own && 'hidden sm:inline')}>
          {own ?? 'Settings'}
        </span>
      </Button>
      <Suspense fallback={null}>
        {dialog.turn > 0 && (
          <SettingsDialog
            key={dialog.turn}
            chosen={chosen}
            defaults={defaults}
            open={dialog.open}
            onOpenChange={dialog.onOpenChange}
          />
        )}
      </Suspense>
    </>
  );
}
