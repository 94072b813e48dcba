import { Link, Outlet } from '@tanstack/react-router';
import { Menu, SquarePen } from 'lucide-react';
import { useState } from 'react';
import { buttonClass, IconButton } from '@/components/ui/button';
import { Drawer } from '@/components/ui/dialog';
import { APP_NAME } from '@/config/app';
import { Commands } from './commands';
import { PromptLibrary } from './prompt-library';
import { Sidebar } from './sidebar';

/** The frame of every page but the sign-in: the sidebar beside the page, in a drawer on a phone. */
export function Shell() {
  const [open, setOpen] = useState(false);
  return (
    <PromptLibrary>
      <Commands>
        <div className="flex h-dvh">
          <a
            href="#main"
            className="sr-only z-50 rounded-lg bg-card px-3 py-2 shadow-float focus:not-sr-only focus:absolute focus:top-2 focus:left-2"
          >
            Skip to the page
          </a>
          <aside aria-label="Navigation" className="hidden w-68 shrink-0 border-r bg-sidebar md:block">
            <Sidebar onNavigate={() => undefined} />
          </aside>
          <Drawer open={open} onOpenChange={setOpen} title="Navigation">
            <Sidebar onNavigate={() => setOpen(false)} />
          </Drawer>
          <div className="flex min-w-0 flex-1 flex-col">
            <header className="flex items-center gap-2 border-b px-2 py-1.5 md:hidden">
              <IconButton label="Open navigation" size="icon-lg" onClick={() => setOpen(true)}>
                <Menu aria-hidden />
              </IconButton>
              <span className="flex-1 truncate text-center font-semibold text-sm">{APP_NAME}</span>
              <Link
                to="/"
                aria-label="New chat"
                title="New chat"
                className={buttonClass({ variant: 'ghost', size: 'icon-lg' })}
              >
                <SquarePen aria-hidden />
              </Link>
            </header>
            <main id="main" tabIndex={-1} className="flex min-h-0 flex-1 flex-col outline-none">
              <Outlet />
            </main>
          </div>
        </div>
      </Commands>
    </PromptLibrary>
  );
}
