import { Ellipsis, KeyRound, Pencil, ShieldCheck, ShieldOff, Trash2, UserCheck, UserX } from 'lucide-react';
import type { Me, User } from '@/api/generated';
import { Badge } from '@/components/ui/badge';
import { Menu, MenuItem, MenuSeparator } from '@/components/ui/menu';
import { Time } from '@/components/ui/time';
import type { Task } from './user-task';

interface UsersTableProps {
  users: User[];
  me: Me | null;
  onTask: (task: Task, user: User) => void;
}

/** A wide column of its own, or part of the person's line where there is no room. */
const WIDE = 'hidden px-3 py-3 @2xl:table-cell';

export function UsersTable({ users, me, onTask }: UsersTableProps) {
  return (
    <div className="@container overflow-hidden rounded-xl border bg-card">
      <table className="w-full table-fixed text-left text-sm">
        <thead className="border-b bg-muted text-muted-foreground text-xs">
          <tr>
            <th scope="col" className="px-4 py-2 font-medium @2xl:w-[42%]">
              Person
            </th>
            <th scope="col" className="hidden px-3 py-2 font-medium @2xl:table-cell">
              Signs in with
            </th>
            <th scope="col" className="hidden px-3 py-2 font-medium @2xl:table-cell">
              Last sign-in
            </th>
            <th scope="col" className="hidden px-3 py-2 font-medium @2xl:table-cell">
              State
            </th>
            <th scope="col" className="w-14 px-3 py-2">
              <span className="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody className="divide-y">
          {users.map((user) => (
            <UserRow
              key={user.id}
              user={user}
              isMe={user.id === me?.id}
              isLocal={me?.auth_mode === 'local'}
              onTask={(task) => onTask(task, user)}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface UserRowProps {
  user: User;
  isMe: boolean;
  isLocal: boolean;
  onTask: (task: Task) => void;
}

function UserRow({ user, isMe, isLocal, onTask }: UserRowProps) {
  const seen = user.last_sign_in_at ? <Time at={user.last_sign_in_at} /> : 'never';
  const state = <State user={user} isMe={isMe} />;
  return (
    <tr>
      <th scope="row" className="px-4 py-3 align-top font-normal">
        <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <span className="min-w-0 break-words font-medium">{user.name || user.email}</span>
          {user.role === 'admin' && <Badge tone="accent">Admin</Badge>}
          {isMe && <Badge>You</Badge>}
        </div>
        <p className="break-all text-muted-foreground text-xs">{user.email}</p>
        <p className="mt-1.5 flex flex-wrap items-center gap-x-2 gap-y-1 text-muted-foreground text-xs @2xl:hidden">
          {state}
          {user.last_sign_in_at ? (
            <>
              <span>{signInOf(user)}</span>
              <span>last sign-in {seen}</span>
            </>
          ) : (
            <span>never signed in</span>
          )}
        </p>
      </th>
      <td className={`${WIDE} align-top`}>{signInOf(user)}</td>
      <td className={`${WIDE} align-top text-muted-foreground`}>{seen}</td>
      <td className={`${WIDE} align-top`}>{state}</td>
      <td className="px-3 py-2 text-right align-top">
        <Actions user={user} isLocal={isLocal} onTask={onTask} />
      </td>
    </tr>
  );
}

function State({ user, isMe }: { user: User; isMe: boolean }) {
  if (!user.active) return <Badge tone="warning">Deactivated</Badge>;
  if (!isMe && !user.has_password && !user.has_oidc) {
    return <Badge title="Has not chosen a password yet">Invited</Badge>;
  }
  return <Badge tone="accent">Active</Badge>;
}

/** How a person comes in. */
export function signInOf({ has_password, has_oidc }: Pick<User, 'has_password' | 'has_oidc'>): string {
  if (has_password && has_oidc) return 'Password, single sign-on';
  if (has_oidc) return 'Single sign-on';
  return has_password ? 'Password' : 'Nothing yet';
}

function Actions({ user, isLocal, onTask }: Omit<UserRowProps, 'isMe'>) {
  return (
    <Menu
      label={`Actions for ${user.email}`}
      trigger={<Ellipsis aria-hidden className="size-4" />}
      triggerClassName="inline-flex size-8 items-center justify-center rounded-lg text-muted-foreground hover:bg-secondary hover:text-foreground data-[popup-open]:bg-secondary"
    >
      <MenuItem icon={<Pencil aria-hidden />} onSelect={() => onTask('rename')}>
        Rename
      </MenuItem>
      {user.role === 'admin' ? (
        <MenuItem icon={<ShieldOff aria-hidden />} onSelect={() => onTask('member')}>
          Make member
        </MenuItem>
      ) : (
        <MenuItem icon={<ShieldCheck aria-hidden />} onSelect={() => onTask('admin')}>
          Make admin
        </MenuItem>
      )}
      {user.active && !isLocal && (
        <MenuItem icon={<KeyRound aria-hidden />} onSelect={() => onTask('link')}>
          Password link
        </MenuItem>
      )}
      {user.active ? (
        <MenuItem icon={<UserX aria-hidden />} onSelect={() => onTask('deactivate')}>
          Deactivate
        </MenuItem>
      ) : (
        <MenuItem icon={<UserCheck aria-hidden />} onSelect={() => onTask('activate')}>
          Activate
        </MenuItem>
      )}
      <MenuSeparator />
      <MenuItem icon={<Trash2 aria-hidden />} danger onSelect={() => onTask('delete')}>
        Delete
      </MenuItem>
    </Menu>
  );
}
