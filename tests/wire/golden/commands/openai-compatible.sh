curl http://xxxx-shanghai.opensearch.aliyuncs.com/compatible-mode/v1/chat/embeddings \
-H "Content-Type: application/json" \
-H "Authorization: Bearer Your-API-Key" \
-d '{
"model": "ops-text-embedding-001",
"input": "Search development platform"
}'
