import { KeyRound } from 'lucide-react';
import { useState } from 'react';
import type { ApiKey, Me } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Confirm } from '@/components/ui/dialog';
import { Notice } from '@/components/ui/notice';
import { Empty } from '@/components/ui/page';
import { Skeleton } from '@/components/ui/skeleton';
import { Time } from '@/components/ui/time';
import { formatCount } from '@/lib/format';
import { useDialog } from '@/lib/use-dialog';
import { CreateKey } from './create-key';
import { baseUrl } from './example';
import { useApiKeys, useRevokeKey } from './queries';

/** The keys with which programs come in; made, listed and revoked. */
export function ApiKeys({ me }: { me: Me }) {
  const keys = useApiKeys();
  const making = useDialog();
  const revoking = useDialog();
  const [doomed, setDoomed] = useState<ApiKey | null>(null);
  const revoke = useRevokeKey();
  const ask = (key: ApiKey) => {
    setDoomed(key);
    revoking.show();
  };
  return (
    <>
      <p className="text-muted-foreground text-sm">
        For scripts, editors and any client that speaks OpenAI's API, with the base URL{' '}
        <code className="break-all rounded bg-secondary px-1.5 py-0.5 text-foreground text-xs">
          {baseUrl(window.location.origin)}
        </code>
        .
        {me.auth_mode === 'local' &&
          ' This server runs for you alone and answers this machine without a key; a client that insists on one takes any text.'}
      </p>
      {keys.isPending && <Skeleton rows={2} />}
      {keys.isError && <Notice tone="error">{sentenceOf(keys.error)}</Notice>}
      {keys.data?.items.length === 0 && (
        <Empty>
          <KeyRound aria-hidden className="mx-auto mb-2 size-5" />
          <p>No key yet. A key lets a program come in as you, without your password.</p>
          <p className="mt-1">Make one for each program, so that you can take it away from that one alone.</p>
        </Empty>
      )}
      {keys.data && keys.data.items.length > 0 && (
        <ul className="divide-y overflow-hidden rounded-xl border bg-card">
          {keys.data.items.map((key) => (
            <KeyRow key={key.id} apiKey={key} onRevoke={() => ask(key)} />
          ))}
        </ul>
      )}
      <Button className="self-start" onClick={making.show}>
        <KeyRound aria-hidden />
        Create a key
      </Button>
      <CreateKey key={making.turn} open={making.open} onOpenChange={making.onOpenChange} />
      <Confirm
        open={revoking.open}
        onOpenChange={revoking.onOpenChange}
        title="Revoke this key?"
        description={`Programs that use “${doomed?.name}” (${doomed?.prefix}…) are refused from then on. A revoked key cannot be brought back.`}
        action="Revoke"
        danger
        onConfirm={() => doomed && revoke.mutate(doomed.id)}
      />
    </>
  );
}

function KeyRow({ apiKey, onRevoke }: { apiKey: ApiKey; onRevoke: () => void }) {
  return (
    <li className="flex items-start justify-between gap-3 px-4 py-3">
      <div className="min-w-0">
        <p className="flex flex-wrap items-baseline gap-x-2.5">
          <span className="min-w-0 break-words font-medium text-sm">{apiKey.name}</span>
          <code className="text-muted-foreground text-xs">{apiKey.prefix}…</code>
        </p>
        <p className="mt-1 text-muted-foreground text-xs">
          Created <Time at={apiKey.created_at} />
          {' · '}
          {apiKey.last_used_at ? (
            <>
              last used <Time at={apiKey.last_used_at} />
            </>
          ) : (
            'never used'
          )}
          {limitsOf(apiKey).map((limit) => ` · ${limit}`)}
        </p>
      </div>
      <Button size="sm" aria-label={`Revoke ${apiKey.name}`} onClick={onRevoke}>
        Revoke
      </Button>
    </li>
  );
}

function limitsOf({ requests_per_minute: requests, tokens_per_minute: tokens }: ApiKey): string[] {
  const limits = [];
  if (requests !== null) limits.push(`at most ${formatCount(requests)} requests a minute`);
  if (tokens !== null) limits.push(`at most ${formatCount(tokens)} tokens a minute`);
  return limits;
}
