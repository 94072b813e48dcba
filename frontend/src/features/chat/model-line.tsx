import { FlaskConical } from 'lucide-react';
import { useMe } from '@/api/me';
import { ModelPicker } from './model-picker';
import { SettingsButton } from './settings-button';
import { type Chosen, useModelChoices } from './use-chat-settings';

/** Under the composer: which model answers, and how. A demo model is never mistaken for a real one. */
export function ModelLine({ chosen }: { chosen: Chosen | null }) {
  const me = useMe();
  const choices = useModelChoices();
  const models = choices?.items ?? [];
  const wanted = chosen?.settings.model ?? null;
  const pickable = models.length > 1 || (wanted !== null && models.length > 0);
  const model =
    models.find(({ name }) => name === wanted) ?? (wanted === null ? (models[0] ?? me?.model) : null);
  return (
    <div className="flex min-h-8 items-center justify-between gap-2 text-muted-foreground text-xs">
      <div className="flex min-w-0 flex-wrap items-center gap-x-1.5 pl-2">
        {model?.demo && (
          <>
            <FlaskConical aria-hidden className="size-3.5 text-primary" />
            <span data-testid="demo-model">
              Demo model
              <span className={pickable ? 'hidden sm:inline' : undefined}>
                : tiny, for trying the product out
              </span>
            </span>
          </>
        )}
        {pickable && chosen ? (
          <ModelPicker models={models} chosen={chosen} />
        ) : (
          <span className={model?.demo ? 'hidden sm:inline' : 'truncate'}>{model?.name}</span>
        )}
        {me && !model && models.length === 0 && (
          <span>No model is loaded yet; answers wait until there is one.</span>
        )}
      </div>
      {chosen && <SettingsButton chosen={chosen} defaults={choices?.defaults ?? null} />}
    </div>
  );
}
