import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { meQuery } from '@/api/me';
import { sentenceOf } from '@/api/problem';
import { Notice } from '@/components/ui/notice';
import { Page, Section } from '@/components/ui/page';
import { Skeleton } from '@/components/ui/skeleton';
import { useTitle } from '@/lib/use-title';
import { ApiKeys } from './api-keys';
import { DeleteAccount } from './delete-account';
import { OwnData } from './own-data';
import { Password } from './password';
import { Profile } from './profile';
import { Training } from './training';

interface SettingsProps {
  /** The choice of colours. */
  theme: ReactNode;
  onDeleted: () => void;
}

/** What one decides about one's own account. */
export function Settings({ theme, onDeleted }: SettingsProps) {
  useTitle('Settings');
  const { data: me, error } = useQuery(meQuery());
  return (
    <Page title="Settings" lead="Your name, your keys, and what becomes of what you write.">
      {!me && (error ? <Notice tone="error">{sentenceOf(error)}</Notice> : <Skeleton />)}
      {me && (
        <>
          <Section title="Profile">
            <Profile me={me} theme={theme} />
          </Section>
          <Section title="Training">
            <Training me={me} />
          </Section>
          {me.has_password && me.auth_mode === 'accounts' && (
            <Section title="Password">
              <Password me={me} />
            </Section>
          )}
          <Section title="API keys">
            <ApiKeys me={me} />
          </Section>
          <Section title="Your data" id="your-data">
            <OwnData />
            <DeleteAccount me={me} onDeleted={onDeleted} />
          </Section>
        </>
      )}
    </Page>
  );
}
