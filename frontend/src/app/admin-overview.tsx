import { Link } from '@tanstack/react-router';
import { ChevronRight } from 'lucide-react';
import { Page } from '@/components/ui/page';
import { useTitle } from '@/lib/use-title';
import { ADMIN_PAGES, type AdminPath } from './admin-pages';

const PURPOSES: Record<AdminPath, string | null> = {
  '/admin': null,
  '/admin/users': 'Invite people, change roles, make password links, deactivate.',
  '/models': 'Which version answers and what the weekly runs learned; promote, compare, roll back.',
  '/admin/comparisons': 'Blind votes between two models, with win rates.',
  '/admin/documents': 'Source code that the next run learns from: upload, read, erase.',
  '/admin/usage': 'People, answers, tokens and waiting times, day by day.',
  '/admin/audit': 'What admins did, and when.',
};

/** What there is for admins, for those who come here first. */
export function AdminOverview() {
  useTitle('Admin');
  return (
    <Page title="Admin" lead="People, the model and what it learns from. Members do not see these pages.">
      <ul className="grid gap-3 sm:grid-cols-2">
        {ADMIN_PAGES.filter(({ to }) => PURPOSES[to]).map(({ to, name }) => (
          <li key={to}>
            <Link
              to={to}
              className="flex h-full items-start justify-between gap-3 rounded-xl border bg-card p-4 hover:bg-muted"
            >
              <span>
                <span className="block font-medium text-sm">{name}</span>
                <span className="mt-0.5 block text-muted-foreground text-sm">{PURPOSES[to]}</span>
              </span>
              <ChevronRight aria-hidden className="size-4 shrink-0 self-center text-muted-foreground" />
            </Link>
          </li>
        ))}
      </ul>
    </Page>
  );
}
