import { Link, Outlet, useLocation } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { useMe } from '@/api/me';
import { AdminsOnly } from '@/features/admin/admins-only';
import { ADMIN_PAGES } from './admin-pages';

/** The frame of what only admins see: the ways between these pages, and a friendly refusal for members. */
export function AdminArea() {
  if (useMe()?.role === 'member') return <AdminsOnly />;
  return (
    <>
      <AdminNavigation />
      <Outlet />
    </>
  );
}

/** The frame of pages that everybody sees and that admins find among theirs. */
export function SharedArea() {
  return (
    <>
      {useMe()?.role === 'admin' && <AdminNavigation />}
      <Outlet />
    </>
  );
}

/** On a phone there is room for some of the links: the page's own is always among them. */
function AdminNavigation() {
  const { pathname } = useLocation();
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    const own = pathname && list.current?.querySelector('[aria-current=page]');
    if (own) own.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [pathname]);
  return (
    <nav aria-label="Admin pages" className="shrink-0 border-b">
      <ul ref={list} className="mx-auto flex max-w-[52rem] gap-1 overflow-x-auto px-2 sm:px-6">
        {ADMIN_PAGES.map(({ to, name }) => (
          <li key={to}>
            <Link
              to={to}
              activeOptions={{ exact: to === '/admin' }}
              className="block whitespace-nowrap border-transparent border-b-2 px-2 py-2.5 text-muted-foreground text-sm hover:text-foreground"
              activeProps={{
                className: 'border-primary! font-medium text-foreground!',
                'aria-current': 'page',
              }}
            >
              {name}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
