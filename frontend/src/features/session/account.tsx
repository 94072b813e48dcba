import { Link } from '@tanstack/react-router';
import { ChevronsUpDown, CircleUser, LogOut, Settings } from 'lucide-react';
import { useMe } from '@/api/me';
import { Menu, MenuItem, MenuLink, MenuSeparator } from '@/components/ui/menu';
import { useSignOut } from './queries';

interface AccountProps {
  /** A page was chosen: the place to close a drawer. */
  onNavigate: () => void;
  onSignedOut: () => void;
}

/** Who is signed in, with the way to their settings, and out. */
export function Account({ onNavigate, onSignedOut }: AccountProps) {
  const me = useMe();
  const signOut = useSignOut(onSignedOut);
  if (!me) return null;
  const hasAccounts = me.auth_mode === 'accounts';
  const name = hasAccounts ? me.name || me.email : 'You';
  return (
    <Menu
      label={`Account menu: ${name}`}
      side="top"
      align="start"
      trigger={
        <>
          <CircleUser aria-hidden className="size-4 shrink-0" />
          <span className="min-w-0 flex-1 truncate text-left">{name}</span>
          <ChevronsUpDown aria-hidden className="size-4 shrink-0 text-muted-foreground" />
        </>
      }
      triggerClassName="flex w-full items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-sm hover:bg-sidebar-active/60 data-[popup-open]:bg-sidebar-active"
    >
      {hasAccounts && (
        <>
          <p className="max-w-60 truncate px-2.5 py-1.5 text-muted-foreground text-xs">{me.email}</p>
          <MenuSeparator />
        </>
      )}
      <MenuLink icon={<Settings aria-hidden />} link={<Link to="/settings" onClick={onNavigate} />}>
        Settings
      </MenuLink>
      {hasAccounts && (
        <>
          <MenuSeparator />
          <MenuItem icon={<LogOut aria-hidden />} onSelect={() => signOut.mutate()}>
            Sign out
          </MenuItem>
        </>
      )}
    </Menu>
  );
}
