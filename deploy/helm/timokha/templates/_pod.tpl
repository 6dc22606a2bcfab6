{{/* What every pod has: dict root, values (nodeSelector, tolerations, affinity) */}}
{{- define "timokha.pod" -}}
# A Service named nats would set NATS_PORT and more.
enableServiceLinks: false
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Seconds to stop, longer than a part takes to finish its requests: dict env, name, default, more */}}
{{- define "timokha.grace" -}}
{{- add .more (ceil (float64 (default .default (get (default (dict) .env) .name)))) -}}
{{- end }}

{{- define "timokha.security" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* An outage of a broker makes a pod unready and restarts nothing; a hanging event loop does. dict seconds: of the start */}}
{{- define "timokha.probes" -}}
startupProbe:
  exec: {command: [timokha, health, --live]}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: {{ max 3 (div (int .seconds) 10) }}
livenessProbe:
  exec: {command: [timokha, health, --live]}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 3
readinessProbe:
  exec: {command: [timokha, health]}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 3
{{- end }}

{{/* Variables from a Secret: dict secret, names, optional */}}
{{- define "timokha.secrets" -}}
{{- range .names }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $.secret }}
      key: {{ . }}
      {{- if $.optional }}
      optional: true
      {{- end }}
{{- end }}
{{- end }}

{{/* What every part knows: dict root, user, secret, env, config */}}
{{- define "timokha.env" -}}
{{- $nats := .root.Values.nats -}}
- name: NATS_URL
  value: {{ $nats.url | quote }}
{{- if $nats.authentication }}
- name: NATS_USER
  value: {{ .user }}
{{- include "timokha.secrets" (dict "secret" .secret "names" (list "NATS_PASSWORD")) }}
{{- end }}
{{- if $nats.tls.caConfigMap }}
- name: NATS_TLS_CA
  value: /certificates/nats/ca.crt
{{- end }}
{{- if $nats.tls.mutual }}
- name: NATS_TLS_CERTIFICATE
  value: /certificates/own/tls.crt
- name: NATS_TLS_KEY
  value: /certificates/own/tls.key
{{- end }}
{{- if .config }}
- name: TIMOKHA_CONFIG
  value: /etc/timokha/timokha.toml
{{- end }}
{{- include "timokha.otlp" . }}
{{- range $name, $value := merge (deepCopy (default (dict) .env)) .root.Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "timokha.otlp" -}}
{{- with .root.Values.otlp }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_METRICS_EXPORTER
  value: {{ ternary "otlp" "none" .metrics }}
{{- if .metricsEndpoint }}
- name: OTEL_EXPORTER_OTLP_METRICS_ENDPOINT
  value: {{ .metricsEndpoint | quote }}
{{- end }}
{{- if .caConfigMap }}
- name: OTEL_EXPORTER_OTLP_CERTIFICATE
  value: /certificates/otlp/ca.crt
{{- end }}
{{- include "timokha.secrets" (dict "secret" $.secret "names" (list "OTEL_EXPORTER_OTLP_HEADERS") "optional" true) }}
{{- end }}
{{- end }}
{{- end }}

{{/* dict root, config */}}
{{- define "timokha.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .root.Values.nats.tls.caConfigMap }}
- {name: nats-ca, mountPath: /certificates/nats, readOnly: true}
{{- end }}
{{- if .root.Values.nats.tls.mutual }}
- {name: own, mountPath: /certificates/own, readOnly: true}
{{- end }}
{{- if and .root.Values.otlp.endpoint .root.Values.otlp.caConfigMap }}
- {name: otlp-ca, mountPath: /certificates/otlp, readOnly: true}
{{- end }}
{{- if .config }}
# The folder, not the file: a mounted file stays the old one when the ConfigMap changes.
- {name: config, mountPath: /etc/timokha, readOnly: true}
{{- end }}
{{- end }}

{{/* dict root, secret, config, name */}}
{{- define "timokha.volumes" -}}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{- with .root.Values.nats.tls.caConfigMap }}
- name: nats-ca
  configMap: {name: {{ . }}}
{{- end }}
{{- if .root.Values.nats.tls.mutual }}
- name: own
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
{{- end }}
{{- if and .root.Values.otlp.endpoint .root.Values.otlp.caConfigMap }}
- name: otlp-ca
  configMap: {name: {{ .root.Values.otlp.caConfigMap }}}
{{- end }}
{{- if .config }}
- name: config
  configMap: {name: {{ .name }}}
{{- end }}
{{- end }}
