import { z } from 'zod';

/** The configuration of `http` triggers. */
export const routeConfig = z.object({
  api_path: z.string(),
  http_method: z.string().nullish(),
  condition_function_id: z.string().nullish(),
  middleware_function_ids: z.array(z.string()).nullish(),
});
