import { useRouter, useSearch } from '@tanstack/react-router';
import { LoginForm } from '@/features/session/login-form';

export function LoginPage() {
  const router = useRouter();
  const { next } = useSearch({ from: '/login' });
  return <LoginForm onSignedIn={() => router.history.push(next ?? '/')} />;
}
