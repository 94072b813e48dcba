import { Link } from '@tanstack/react-router';
import { ShieldCheck } from 'lucide-react';
import { buttonClass } from '@/components/ui/button';

/** What a member finds on a page for admins. */
export function AdminsOnly() {
  return (
    <div className="flex flex-1 flex-col items-center justify-center gap-2 p-6 text-center">
      <ShieldCheck aria-hidden className="size-6 text-muted-foreground" />
      <h1 className="font-semibold text-lg">This page is for administrators</h1>
      <p className="max-w-md text-muted-foreground text-sm">
        They take care here of people, of the model and of what it learns from. You need nothing from here to
        work; if you should take care of that too, ask an administrator to make you one.
      </p>
      <Link to="/" className={`mt-3 ${buttonClass({ variant: 'primary' })}`}>
        Start a new chat
      </Link>
    </div>
  );
}
