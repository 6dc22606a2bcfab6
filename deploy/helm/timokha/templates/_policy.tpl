{{/* A rule: dict ports, to */}}
{{- define "timokha.egress" -}}
- ports:
  {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
  {{- end }}
  {{- with .to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The internet without the addresses of clusters and their hosts: dict ports */}}
{{- define "timokha.internet" -}}
- ports:
  {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
  {{- end }}
  to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    - ipBlock:
        cidr: "::/0"
        except: ["fc00::/7", "fe80::/10"]
{{- end }}

{{/* dict root, component, account, name, telegram, rabbitmq, internet, extra, annotations */}}
{{- define "timokha.policy" -}}
{{- with .root.Values.networkPolicy }}
{{- if .enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $.name }}
  labels: {{- include "timokha.labels" $ | nindent 4 }}
  {{- with $.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  podSelector:
    matchLabels: {{- include "timokha.selector" $ | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress: []
  egress:
    - ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
    {{- include "timokha.egress" .nats | nindent 4 }}
    {{- if $.rabbitmq }}
    {{- include "timokha.egress" .rabbitmq | nindent 4 }}
    {{- end }}
    {{- if $.root.Values.otlp.endpoint }}
    {{- include "timokha.egress" .otlp | nindent 4 }}
    {{- end }}
    {{- if $.telegram }}
    {{- include "timokha.internet" .telegram | nindent 4 }}
    {{- end }}
    {{- if $.internet }}
    {{- include "timokha.internet" (dict "ports" (list 443)) | nindent 4 }}
    {{- end }}
    {{- with $.extra }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}
