import { UserPlus } from 'lucide-react';
import { useState } from 'react';
import type { User } from '@/api/generated';
import { useMe } from '@/api/me';
import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Notice } from '@/components/ui/notice';
import { Empty, Page } from '@/components/ui/page';
import { SearchField } from '@/components/ui/search-field';
import { ShowMore } from '@/components/ui/show-more';
import { Skeleton } from '@/components/ui/skeleton';
import { SEARCH_DELAY_MS } from '@/config/app';
import { useDebounced } from '@/lib/use-debounced';
import { useDialog } from '@/lib/use-dialog';
import { useTitle } from '@/lib/use-title';
import { Invite } from './invite';
import { useUsers } from './queries';
import { type Task, UserTask } from './user-task';
import { UsersTable } from './users-table';

/** Who may come in, for admins. */
export function UsersPage() {
  useTitle('Users');
  const me = useMe();
  const [search, setSearch] = useState('');
  const wanted = useDebounced(search.trim(), SEARCH_DELAY_MS);
  const list = useUsers(wanted);
  const inviting = useDialog();
  const acting = useDialog();
  const [task, setTask] = useState<{ kind: Task; user: User } | null>(null);
  const users = list.data?.pages.flatMap((page) => page.items) ?? [];
  const isLocal = me?.auth_mode === 'local';
  const begin = (kind: Task, user: User) => {
    setTask({ kind, user });
    acting.show();
  };
  return (
    <Page
      title="Users"
      lead="Everybody who may sign in, and what they may do."
      actions={
        !isLocal && (
          <Button variant="primary" onClick={inviting.show}>
            <UserPlus aria-hidden />
            Invite
          </Button>
        )
      }
    >
      <div className="flex flex-col gap-4">
        {isLocal && (
          <Notice tone="info">
            This server runs for one person and has no sign-in (AUTH_MODE=local). To let others in, start it
            with AUTH_MODE=accounts.
          </Notice>
        )}
        <SearchField label="Search users" placeholder="Name or address" value={search} onChange={setSearch} />
        {list.isPending && <Skeleton />}
        {list.isError && <Notice tone="error">{sentenceOf(list.error)}</Notice>}
        {list.isSuccess && users.length === 0 && (
          <Empty>Nobody here has “{wanted}” in name or address.</Empty>
        )}
        {users.length > 0 && <UsersTable users={users} me={me} onTask={begin} />}
        <ShowMore list={list} />
        <p role="status" className="sr-only">
          {list.isSuccess && `${users.length} ${users.length === 1 ? 'person' : 'people'} listed`}
        </p>
      </div>
      <Invite key={`invite-${inviting.turn}`} open={inviting.open} onOpenChange={inviting.onOpenChange} />
      {task && (
        <UserTask
          key={`task-${acting.turn}`}
          kind={task.kind}
          user={task.user}
          isMe={task.user.id === me?.id}
          open={acting.open}
          onOpenChange={acting.onOpenChange}
        />
      )}
    </Page>
  );
}
