import type { Me } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Notice } from '@/components/ui/notice';
import { Card } from '@/components/ui/page';
import { Switch } from '@/components/ui/switch';
import { useUpdateMe } from './queries';

/** Whether what one writes may be learned from. */
export function Training({ me }: { me: Me }) {
  const update = useUpdateMe('Saved. The next weekly run goes by it.');
  const wanted = update.isPending ? update.variables.training_consent : null;
  return (
    <Card>
      <Switch
        label="Use what I write to improve the model"
        checked={wanted ?? me.training_consent}
        onChange={(training_consent) => update.mutate({ training_consent })}
        description={
          <>
            <p>
              On: the weekly run may learn from answers that you rate or correct, together with the
              conversation above them, and from API answers that are reported as accepted.
            </p>
            <p className="mt-2">
              Off: from the next weekly run on, nothing of yours is used, nor anything that you wrote before.
              Versions that were trained earlier stay as they are.
            </p>
          </>
        }
      />
      {update.isError && <Notice tone="error">Nothing was changed. {sentenceOf(update.error)}</Notice>}
    </Card>
  );
}
