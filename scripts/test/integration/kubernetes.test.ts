import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { headOf, KUBERNETES, OVERLAYS } from '../../deployments/kustomize.mjs';
import { deploymentTool } from '../../set-up/deployment-tools.mjs';
import { ROOT } from '../../set-up/workspace.mjs';
import { imageConfig, neededVariables, read, stopSeconds } from '../deployment-files.js';

type Labels = Readonly<Record<string, string>>;

interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly {
    readonly name: string;
    readonly valueFrom: { readonly secretKeyRef: { readonly name: string; readonly key: string; readonly optional?: boolean } };
  }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly resources: unknown;
  readonly securityContext: unknown;
  readonly startupProbe: unknown;
  readonly readinessProbe: unknown;
  readonly livenessProbe: unknown;
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: {
    readonly replicas: number;
    readonly strategy: unknown;
    readonly selector?: Labels & { readonly matchLabels: Labels };
    readonly podSelector?: { readonly matchLabels: Labels };
    readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
    readonly ingress: readonly { readonly ports: readonly { readonly port: string }[]; readonly from?: unknown }[];
    readonly template: {
      readonly metadata: { readonly labels: Labels };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly securityContext: unknown;
        readonly containers: readonly [Container];
        readonly volumes: readonly {
          readonly name: string;
          readonly persistentVolumeClaim?: { readonly claimName: string };
          readonly emptyDir?: { readonly sizeLimit: string };
        }[];
      };
    };
  };
}

const IMAGE = imageConfig();
const validator = deploymentTool(ROOT, 'validator');
const fileOf = (overlay: string) => `${KUBERNETES}/rendered/${overlay}.yaml`;

function load(overlay: string) {
  const all = parseAllDocuments(read(fileOf(overlay))).map((document) => document.toJS() as Manifest);
  const ofKind = (kind: string) => all.filter((each) => each.kind === kind);
  const [deployment, ...others] = ofKind('Deployment');
  if (deployment === undefined || others.length > 0) throw new Error(`${overlay} does not have one Deployment`);
  const { template } = deployment.spec;
  return { all, ofKind, deployment, pod: template.spec, labels: template.metadata.labels, engine: template.spec.containers[0] };
}

test.skipIf('missing' in validator)(
  `the manifests follow the schemas of the oldest and the newest Kubernetes${'missing' in validator ? ` (skipped: NO_VALIDATOR: ${validator.missing})` : ''}`,
  async () => {
    if ('missing' in validator) return;
    const folder = mkdtempSync(join(tmpdir(), 'rivulet-manifests-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const wrong = join(folder, 'wrong.yaml');
    writeFileSync(wrong, read(fileOf('redis')).replace('maxUnavailable', 'mostUnavailable'));
    for (const version of ['1.30', '1.37']) {
      const words = ['-m', 'kubernetes_validate', '--strict', '-k', version, ...OVERLAYS.map(fileOf)];
      // It ends with an error when a manifest has an unknown or wrong key.
      const { stdout } = await promisify(execFile)(validator.path, words, { cwd: ROOT });
      expect(stdout.match(/ passed for resource /g)).toHaveLength(
        OVERLAYS.map((overlay) => load(overlay).all.length).reduce((a, b) => a + b),
      );
    }
  },
);

describe.each(OVERLAYS)('the overlay %s', (overlay) => {
  const { all, ofKind, deployment, pod, labels, engine } = load(overlay);

  test('is rendered from the files of today', () => {
    expect(read(fileOf(overlay)).startsWith(headOf(ROOT, overlay))).toBe(true);
  });

  test('has a service for each listener, whose selectors find the pod', () => {
    expect(engine.ports.map(({ containerPort }) => containerPort)).toEqual(IMAGE.ports);
    const selectors = all.flatMap(({ spec: { selector, podSelector } }) =>
      [selector?.matchLabels ?? selector, podSelector?.matchLabels].filter((each) => each !== undefined),
    );
    for (const selector of selectors) expect(labels).toMatchObject(selector);
    const ports = ofKind('Service').flatMap(({ spec }) => spec.ports);
    for (const { name, containerPort } of engine.ports) expect(ports).toContainEqual({ name, port: containerPort, targetPort: name });
  });

  test('lets only workers and operators reach the trusted ports', () => {
    expect(ofKind('NetworkPolicy').map(({ spec }) => spec.ingress)).toEqual([
      [
        { ports: [{ port: 'stream' }, { port: 'http' }] },
        { from: [{ podSelector: { matchLabels: { 'rivulet-worker': 'true' } } }], ports: [{ port: 'worker' }] },
        { from: [{ podSelector: { matchLabels: { 'rivulet-admin': 'true' } } }], ports: [{ port: 'admin' }] },
      ],
    ]);
  });

  test('takes each variable without a default of its configuration from the secret', () => {
    const config = engine.args.at(-1) ?? '';
    expect(engine.args).toEqual([...IMAGE.cmd.slice(0, -1), config]);
    expect(existsSync(join(ROOT, config.replace('/etc/rivulet', 'ops/config')))).toBe(true);
    const [optional, needed] = [true, false].map((is) =>
      engine.env.filter(({ valueFrom }) => is === (valueFrom.secretKeyRef.optional ?? false)),
    );
    expect(needed?.map(({ name }) => name).sort()).toEqual(neededVariables(config));
    // The image sets the other variable with a default, LISTEN.
    expect(optional?.map(({ name }) => name)).toEqual(['TRUSTED_PROXY']);
    for (const { name, valueFrom } of engine.env) expect(valueFrom.secretKeyRef).toMatchObject({ name: 'rivulet', key: name });
  });

  test('has one place with write access, which is also that of temporary files', () => {
    expect(engine.volumeMounts.map(({ mountPath }) => mountPath)).toEqual([IMAGE.env.TMPDIR]);
    expect(engine.volumeMounts.map(({ name }) => name)).toEqual(pod.volumes.map(({ name }) => name));
  });

  test('fulfils the restricted profile of pod security, as the user of the image', () => {
    const [user, group] = IMAGE.user.split(':').map(Number);
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: group,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(engine.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(engine.resources).toMatchObject({ requests: { memory: '1Gi' }, limits: { memory: '2Gi' } });
  });

  test('has the time of an ordered stop after its preStop, and is probed at the admin listener', () => {
    const [program, seconds] = engine.lifecycle.preStop.exec.command;
    expect(program).toBe('sleep');
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(Number(seconds) + stopSeconds());
    for (const probe of [engine.startupProbe, engine.livenessProbe])
      expect(probe).toMatchObject({ httpGet: { path: '/health', port: 'admin' } });
    expect(engine.readinessProbe).toMatchObject({ httpGet: { path: '/ready', port: 'admin' } });
  });

  test('has unique names, and no namespace', () => {
    expect(new Set(all.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).size).toBe(all.length);
    expect(all.filter(({ metadata }) => metadata.namespace !== undefined)).toEqual([]);
    expect(deployment.metadata.name).toBe('rivulet');
  });
});

test('the embedded store has one engine at a time, with a volume that its user may write', () => {
  const { deployment, pod, engine, ofKind } = load('embedded');
  expect([deployment.spec.replicas, deployment.spec.strategy]).toEqual([1, { type: 'Recreate' }]);
  expect(engine.volumeMounts).toEqual([{ name: 'data', mountPath: IMAGE.volumes[0] }]);
  expect(pod.volumes).toEqual([{ name: 'data', persistentVolumeClaim: { claimName: ofKind('PersistentVolumeClaim')[0]?.metadata.name } }]);
  expect(pod.securityContext).toMatchObject({ fsGroup: Number(IMAGE.user.split(':')[1]), fsGroupChangePolicy: 'OnRootMismatch' });
  expect(ofKind('PodDisruptionBudget')).toEqual([]);
});

test('engines with a Redis are several, and drained one after another', () => {
  const { deployment, pod, ofKind } = load('redis');
  expect(deployment.spec.replicas).toBeGreaterThan(1);
  expect(deployment.spec.strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
  // More than the temporary files of an engine, because the kubelet ends a pod beyond the limit.
  const [{ emptyDir } = {}] = pod.volumes;
  expect(Number.parseInt(emptyDir?.sizeLimit ?? '0') * 2 ** 30).toBeGreaterThan(
    Number(/`spoolBytes` \| (\d+) bytes/.exec(read('docs/limits.md'))?.[1]),
  );
  expect(ofKind('PodDisruptionBudget').map(({ spec }) => spec)).toEqual([expect.objectContaining({ maxUnavailable: 1 })]);
});
