import { useMutation, useQueryClient } from '@tanstack/react-query';
import { LogOut } from 'lucide-react';
import { logout } from '@/api/generated';
import { useMe } from '@/api/me';
import { IconButton } from '@/components/ui/button';

/** Who is signed in, with the way out. Nothing in local mode, where there is only one person. */
export function Account({ onSignedOut }: { onSignedOut: () => void }) {
  const me = useMe();
  const client = useQueryClient();
  const signOut = useMutation({
    mutationFn: () => logout({ throwOnError: true }),
    onSettled: () => {
      client.clear();
      onSignedOut();
    },
  });
  if (me?.auth_mode !== 'accounts') return null;
  return (
    <div className="flex items-center gap-2 pl-2.5">
      <span className="min-w-0 flex-1 truncate text-sm" title={me.email}>
        {me.name || me.email}
      </span>
      <IconButton label="Sign out" onClick={() => signOut.mutate()}>
        <LogOut aria-hidden />
      </IconButton>
    </div>
  );
}
