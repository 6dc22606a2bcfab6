{{/* The beginning of every name: at most 31 characters, so that a StatefulSet of an account has at most 52. */}}
{{- define "timokha.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $release := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $release .Values.fullnameOverride | trunc 31 | trimSuffix "-" -}}
{{- end }}

{{/* Of a part: dict root, component, and of an account its name. */}}
{{- define "timokha.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .account }}
timokha/account: {{ . }}
{{- end }}
{{- end }}

{{- define "timokha.labels" -}}
{{ include "timokha.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* dict root, image: userbot, business, generate or bridge */}}
{{- define "timokha.image" -}}
{{- with .root.Values.image -}}
image: {{ printf "%stimokha-%s:%s" (ternary "" (printf "%s/" .registry) (empty .registry)) $.image (default $.root.Chart.AppVersion .tag) }}
imagePullPolicy: {{ .pullPolicy }}
{{- end }}
{{- end }}

{{/* Whether a part connects to RabbitMQ: "true" or nothing. */}}
{{- define "timokha.rabbitmq" -}}
{{- if or .Values.bridge.enabled (and .Values.generate.enabled (gt (int .Values.generate.rabbitmqReplicas) 0)) -}}true{{- end -}}
{{- end }}

{{/* A ConfigMap with timokha.toml: dict root, component, account, name, config */}}
{{- define "timokha.configmap" -}}
{{- if .config }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  labels: {{- include "timokha.labels" . | nindent 4 }}
data:
  timokha.toml: |
    {{- .config | trim | nindent 4 }}
{{- end }}
{{- end }}

{{/* dict root, component, account, name */}}
{{- define "timokha.budget" -}}
{{- if .root.Values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  labels: {{- include "timokha.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .root.Values.podDisruptionBudget.maxUnavailable }}
  # What does not answer questions anyway may always be moved, e.g. a userbot that nobody has signed in.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "timokha.selector" . | nindent 6 }}
{{- end }}
{{- end }}
