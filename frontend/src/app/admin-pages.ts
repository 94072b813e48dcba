/** What admins take care of, and where. */
export const ADMIN_PAGES = [
  { to: '/admin', name: 'Overview' },
  { to: '/admin/users', name: 'Users' },
  { to: '/models', name: 'Models & runs' },
  { to: '/admin/comparisons', name: 'Comparisons' },
  { to: '/admin/documents', name: 'Documents' },
  { to: '/admin/usage', name: 'Usage' },
  { to: '/admin/audit', name: 'Audit log' },
] as const;

export type AdminPath = (typeof ADMIN_PAGES)[number]['to'];
