import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import {
  type ChoosePassword,
  choosePassword,
  login,
  logout,
  lookAtLink,
  type Me,
  type SetUp,
  type SignIn,
  setUp,
} from '@/api/generated';
import { meQueryKey, signInMethodsOptions } from '@/api/generated/@tanstack/react-query.gen';

/** Which ways in there are. The page works without knowing, so it is asked for once. */
export const methodsQuery = () => ({
  ...signInMethodsOptions(),
  retry: false,
  staleTime: Number.POSITIVE_INFINITY,
});

export function useMethods() {
  return useQuery(methodsQuery()).data ?? null;
}

/** Somebody has just come in: nothing of whoever was here before is kept. */
function useArrival(onSignedIn: () => void) {
  const client = useQueryClient();
  return ({ data }: { data: Me }) => {
    client.clear();
    client.setQueryData(meQueryKey(), data);
    onSignedIn();
  };
}

export function useSignIn(onSignedIn: () => void) {
  return useMutation({
    mutationFn: (body: SignIn) => login({ body, throwOnError: true }),
    onSuccess: useArrival(onSignedIn),
  });
}

export function useChoosePassword(onSignedIn: () => void) {
  return useMutation({
    mutationFn: (body: ChoosePassword) => choosePassword({ body, throwOnError: true }),
    onSuccess: useArrival(onSignedIn),
  });
}

export function useSetUp(onSignedIn: () => void) {
  return useMutation({
    mutationFn: (body: SetUp) => setUp({ body, throwOnError: true }),
    onSuccess: useArrival(onSignedIn),
  });
}

/** Who a one-time link is for; looking does not use it up. */
export function useLinkHolder(token: string) {
  return useQuery({
    queryKey: ['link', token],
    queryFn: async () => (await lookAtLink({ body: { token }, throwOnError: true })).data,
    enabled: token !== '',
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
}

export function useSignOut(onSignedOut: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => logout({ throwOnError: true }),
    onSettled: () => {
      client.clear();
      onSignedOut();
    },
  });
}
