import { useNavigate } from '@tanstack/react-router';
import { Settings } from '@/features/account/settings';
import { ThemeSwitch } from '@/features/theme/theme-switch';

export function SettingsPage() {
  const navigate = useNavigate();
  return <Settings theme={<ThemeSwitch />} onDeleted={() => void navigate({ to: '/login' })} />;
}
